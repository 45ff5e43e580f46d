"""Nodes inside this program, and connections to running ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from marram.bus import Bus
from marram.options import ClientSettings, Durability, LogLevel, Mesh, Mqtt, NodeSettings, Stream
from marram.values import Duration, Size

__all__ = ["Client", "Node", "connect"]


class Node(Bus):
    """A node inside this program.

    It is open when it has been made; `close` it, or use it in a ``with`` block.
    A program that ends without doing so loses nothing that was stored.

    Parameters
    ----------
    data_dir
        Where it keeps its events; made when it is not there.  One process at a time.
    name
        By default the host's name.
    streams
        Classes of topics with promises of their own.
    durability
        Of streams that do not say: ``fsync``, ``os`` or ``memory``.
    max_bytes, reserve_free
        The most that the store takes, and the share of the disk that stays free.
    listen
        For other programs (`connect`): ``ipc://PATH``, ``tcp://127.0.0.1:PORT``, or
        True for the socket in `data_dir`.
    mqtt
        For devices: ``mqtt://127.0.0.1:1883``, several of them, or an `Mqtt`; port 0
        takes any.
    mesh
        How it meets other nodes, a `Mesh`.
    limits
        Other limits than usual, by their names in docs/config.md.
    log
        Write a log to stderr, from this level on.

    Raises
    ------
    Busy
        Another process has the data directory.
    Version, Io, Invalid, Config, Refused
        With what to do in the message.

    Examples
    --------
    >>> import marram
    >>> with marram.Node("data", durability="memory") as node:
    ...     node.publish("plant/1/temp", json={"celsius": 21.5}).seq
    1
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] = "marram-data",
        *,
        name: str | None = None,
        streams: Iterable[Stream] = (),
        durability: Durability = "fsync",
        max_bytes: Size = "1GiB",
        reserve_free: float | str = "5%",
        listen: bool | str | Sequence[str] = False,
        mqtt: str | Sequence[str] | Mqtt | None = None,
        mesh: Mesh | None = None,
        limits: Mapping[str, Size] | None = None,
        log: LogLevel | None = None,
    ) -> None:
        super().__init__(
            NodeSettings(
                data_dir=data_dir,
                name=name,
                streams=tuple(streams),
                durability=durability,
                max_bytes=max_bytes,
                reserve_free=reserve_free,
                listen=listen,
                mqtt=mqtt,
                mesh=mesh,
                limits=limits or {},
                log=log,
            )
        )

    @property
    def endpoints(self) -> list[str]:
        """Where other programs reach it, ports filled in."""
        return self._core.endpoints

    @property
    def mqtt_endpoints(self) -> list[str]:
        """Where MQTT devices reach it, ports filled in."""
        return self._core.mqtt_endpoints

    @property
    def mesh_endpoints(self) -> list[str]:
        """Where other nodes reach it, ports filled in."""
        return self._core.mesh_endpoints


class Client(Bus):
    """A connection to a running node, made by `connect`."""


def connect(
    where: str | os.PathLike[str] = "marram-data",
    *,
    name: str | None = None,
    timeout: Duration = 5,
    silent_after: Duration = 10,
    reconnect: bool = True,
) -> Client:
    """Connect to a running node.

    When the connection is lost it comes back by itself: what was published and not
    answered is sent again, and subscriptions go on.

    Parameters
    ----------
    where
        The node's data directory, its socket, or an endpoint such as ``tcp://127.0.0.1:7401``.
    name
        Who publishes, as events then say; by default the program's name.
    timeout
        How long to wait for an answer.
    silent_after
        Calls fail with `TimedOut` when the node has said nothing for this long.
    reconnect
        False: a lost node ends everything.

    Raises
    ------
    Unreachable, TimedOut
        Nobody answers there.

    Examples
    --------
    >>> import marram
    >>> with marram.Node("data", durability="memory", listen=True) as node:
    ...     with marram.connect("data") as client:
    ...         client.publish("plant/1/temp", "21.5").seq
    1
    """
    return Client(
        ClientSettings(
            where=where, name=name, timeout=timeout, silent_after=silent_after, reconnect=reconnect
        )
    )
