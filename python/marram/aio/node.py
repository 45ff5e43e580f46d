"""Nodes inside this program, and connections to running ones, for asyncio."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from marram.aio.bus import Bus
from marram.options import ClientSettings, Durability, LogLevel, Mesh, Mqtt, NodeSettings, Stream
from marram.values import Duration, Size

__all__ = ["Client", "Node", "connect"]


class Node(Bus):
    """A node inside this program; takes what `marram.Node` takes.

    It opens with ``async with``, or when it is awaited.
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
        return self._opened().endpoints

    @property
    def mqtt_endpoints(self) -> list[str]:
        """Where MQTT devices reach it, ports filled in."""
        return self._opened().mqtt_endpoints

    @property
    def mesh_endpoints(self) -> list[str]:
        """Where other nodes reach it, ports filled in."""
        return self._opened().mesh_endpoints


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
    """Return a connection to a running node; ``async with`` or ``await`` opens it.

    It takes what `marram.connect` takes.

    Examples
    --------
    >>> import asyncio, marram.aio
    >>> async def main():
    ...     async with marram.aio.Node("data", durability="memory", listen=True) as node:
    ...         async with marram.aio.connect("data") as client:
    ...             receipt = await client.publish("plant/1/temp", "21.5")
    ...             return receipt.seq
    >>> asyncio.run(main())
    1
    """
    return Client(
        ClientSettings(
            where=where, name=name, timeout=timeout, silent_after=silent_after, reconnect=reconnect
        )
    )
