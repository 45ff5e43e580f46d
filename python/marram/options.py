"""Options of nodes and subscriptions, and how they reach the core."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from marram import _core
from marram.errors import Invalid
from marram.values import Duration, Size, Time, micros, moment, octets, share

__all__ = ["Mesh", "Mqtt", "Start", "Stream"]

Durability = Literal["fsync", "os", "memory"]
LogLevel = Literal["debug", "info", "warn", "error"]

Start = int | Time
"""Where a new reader begins: ``"new"``, ``"earliest"``, a number in each log, or a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A named class of topics with its promises.  The first that matches wins.

    Parameters
    ----------
    name
        ``events`` changes the options of the stream that takes the rest.
    topics
        Filters.
    durability
        ``fsync``: accepted survives a power cut; ``os``: the process;
        ``memory``: neither.  None: as the node has it.
    priority
        Who goes first on a slow link.
    retain_age, retain_bytes
        How long delivered history stays; None: until its space is needed.
    ttl
        Also what is still owed to somebody goes after this; None: never.
    on_full
        What happens to a new event when the store is full.
    """

    name: str
    topics: Sequence[str] = ()
    durability: Durability | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    retain_age: Duration | None = None
    retain_bytes: Size | None = None
    ttl: Duration | None = None
    on_full: Literal["reject", "drop-oldest"] = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """A listener for MQTT devices in this process; docs/mqtt.md tells more.

    Parameters
    ----------
    listen
        ``mqtt://ADDRESS:PORT`` or ``mqtts://ADDRESS:PORT``; port 0 takes any.
    users_file
        Names, password hashes and what each may do.
    allow_anonymous
        Beyond loopback; on loopback it is allowed while there is no users_file.
    certificate_file, key_file, client_ca_file
        PEM files for ``mqtts``; with the last, clients must show a certificate of it.
    """

    listen: str | Sequence[str]
    users_file: str | os.PathLike[str] = ""
    allow_anonymous: bool = False
    certificate_file: str | os.PathLike[str] = ""
    key_file: str | os.PathLike[str] = ""
    client_ca_file: str | os.PathLike[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """How a node meets others: what is published at one reaches readers at all of them.

    Parameters
    ----------
    listen
        Where others can dial this node: ``tcp://0.0.0.0:7400`` (port 0 takes any), or
        ``ipc://PATH`` for nodes of this machine.
    peers
        The addresses of some others; the rest is heard of from them.
    key_file
        The node's key, made when it is not there; by default ``node.key`` in the data
        directory.  Empty: no key, and links that are not encrypted, which is taken only
        on loopback and ipc, or with `insecure`.
    trust, trust_dir
        The public keys of those who may connect, and a folder with more of them.
    insecure
        Links without keys also beyond loopback.
    carry
        Streams that this node keeps whole whether somebody here reads them or not;
        ``*`` for all.
    advertise
        Where others can dial this node, at most 8 addresses, told to every node of the
        mesh; by default `listen`, but for every interface (``0.0.0.0``).
    beacon
        Say on the LAN where this node listens, and dial trusted nodes that say so.
    beacon_group, beacon_interfaces
        The multicast group and port, by default ``239.255.77.82:7420``, and the names or
        IPv4 addresses of the interfaces, by default all but loopback.
    """

    listen: str | Sequence[str] = ()
    peers: str | Sequence[str] = ()
    key_file: str | os.PathLike[str] | None = None
    trust: str | Sequence[str] = ()
    trust_dir: str | os.PathLike[str] = ""
    insecure: bool = False
    carry: str | Sequence[str] = ()
    advertise: str | Sequence[str] = ()
    beacon: bool = False
    beacon_group: str = ""
    beacon_interfaces: str | Sequence[str] = ()


def texts(one_or_many: str | Iterable[str]) -> list[str]:
    """Return one text, or several, as a list."""
    return [one_or_many] if isinstance(one_or_many, str) else list(one_or_many)


def core_stream(stream: Stream) -> _core.StreamOptions:
    """Return a stream as the core takes it."""
    options = _core.StreamOptions()
    options.name = stream.name
    options.topics = texts(stream.topics)
    if stream.durability is not None:
        options.set_durability(stream.durability)
    options.set_priority(stream.priority)
    options.set_on_full(stream.on_full)
    options.set_retain(
        None if stream.retain_age is None else micros(stream.retain_age),
        None if stream.retain_bytes is None else octets(stream.retain_bytes),
    )
    if stream.ttl is not None:
        options.set_ttl(micros(stream.ttl))
    return options


def core_mqtt(mqtt: str | Sequence[str] | Mqtt | None) -> _core.MqttOptions:
    """Return a listener as the core takes it; without addresses there is none."""
    options = _core.MqttOptions()
    if mqtt is None:
        return options
    if not isinstance(mqtt, Mqtt):
        mqtt = Mqtt(listen=mqtt)
    options.listen = texts(mqtt.listen)
    options.users_file = os.fspath(mqtt.users_file)
    options.allow_anonymous = mqtt.allow_anonymous
    options.set_tls(
        os.fspath(mqtt.certificate_file), os.fspath(mqtt.key_file), os.fspath(mqtt.client_ca_file)
    )
    return options


def core_mesh(mesh: Mesh | None, data_dir: str | os.PathLike[str]) -> _core.MeshOptions:
    """Return a mesh as the core takes it; without addresses there is none."""
    options = _core.MeshOptions()
    if mesh is None:
        return options
    options.listen = texts(mesh.listen)
    options.peers = texts(mesh.peers)
    options.advertise = texts(mesh.advertise)
    if mesh.key_file is not None:
        options.key_file = os.fspath(mesh.key_file)
    elif not mesh.insecure:
        options.key_file = Path(data_dir) / "node.key"
    options.trust = texts(mesh.trust)
    options.trust_dir = os.fspath(mesh.trust_dir)
    options.insecure = mesh.insecure
    options.carry = texts(mesh.carry)
    options.beacon = mesh.beacon
    if mesh.beacon_group:
        options.beacon_group = mesh.beacon_group
    options.beacon_interfaces = texts(mesh.beacon_interfaces)
    return options


def core_limits(limits: Mapping[str, Size]) -> _core.Limits:
    """Return limits as the core takes them."""
    options = _core.Limits()
    known = [name for name in vars(_core.Limits) if not name.startswith("_")]
    for name, size in limits.items():
        if name not in known:
            raise Invalid(f"limits: there is no {name!r} (there are {', '.join(known)})")
        setattr(options, name, octets(size))
    return options


def socket_of(data_dir: str | os.PathLike[str]) -> str:
    """Return the endpoint that a node in `data_dir` offers to programs of this machine.

    Examples
    --------
    >>> socket_of("/var/lib/marram")
    'ipc:///var/lib/marram/marram.sock'
    """
    return f"ipc://{Path(data_dir) / 'marram.sock'}"


def endpoint_of(where: str | os.PathLike[str]) -> str:
    """Return the endpoint that is meant by an endpoint, a data directory or a socket.

    Examples
    --------
    >>> endpoint_of("tcp://hub:7401"), endpoint_of("data")
    ('tcp://hub:7401', 'ipc://data/marram.sock')
    """
    if isinstance(where, str) and "://" in where:
        return where
    path = Path(where)
    return f"ipc://{path}" if path.suffix == ".sock" else socket_of(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What `Node` was asked for."""

    data_dir: str | os.PathLike[str]
    name: str | None
    streams: Iterable[Stream]
    durability: Durability
    max_bytes: Size
    reserve_free: float | str
    listen: bool | str | Sequence[str]
    mqtt: str | Sequence[str] | Mqtt | None
    mesh: Mesh | None
    limits: Mapping[str, Size]
    log: LogLevel | None

    def open(self) -> _core.Bus:
        """Open the node; this may take a while."""
        options = _core.NodeOptions()
        options.name = self.name or ""
        options.data_dir = Path(self.data_dir)
        options.streams = [core_stream(stream) for stream in self.streams]
        options.set_durability(self.durability)
        options.max_bytes = octets(self.max_bytes)
        options.reserve_free_share = share(self.reserve_free)
        options.limits = core_limits(self.limits)
        options.mesh = core_mesh(self.mesh, self.data_dir)
        if self.listen is True:
            options.listen = [socket_of(self.data_dir)]
        elif self.listen is not False:
            options.listen = texts(self.listen)
        return _core.Bus.open_node(options, core_mqtt(self.mqtt), self.log or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What `connect` was asked for."""

    where: str | os.PathLike[str]
    name: str | None
    timeout: Duration
    silent_after: Duration
    reconnect: bool

    def open(self) -> _core.Bus:
        """Connect and shake hands; this may take a while."""
        options = _core.ClientOptions()
        options.endpoint = endpoint_of(self.where)
        options.name = self.name or ""
        options.connect_timeout = micros(self.timeout)
        options.silent_after = micros(self.silent_after)
        options.reconnect = self.reconnect
        return _core.Bus.connect(options)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeSettings:
    """What `subscribe` was asked for."""

    filters: tuple[str, ...]
    name: str | None
    start: Start | None
    auto_ack: bool
    in_flight_max: int
    ack_wait: Duration
    take_over: bool

    def core(self) -> _core.SubscribeOptions:
        """Return the options as the core takes them."""
        options = _core.SubscribeOptions()
        options.filters = list(self.filters)
        options.name = self.name or ""
        _set_start(options, self.start)
        if self.in_flight_max < 1:
            raise Invalid(f"subscribe: in_flight_max is {self.in_flight_max} (write 1 or more)")
        options.in_flight_max = self.in_flight_max
        options.ack_wait = micros(self.ack_wait)
        options.take_over = self.take_over
        # What nobody can resume needs no cursor that follows the reader.
        options.auto_settle = self.auto_ack and not self.name
        return options


def _set_start(options: _core.SubscribeOptions, start: Start | None) -> None:
    if start is None:
        return
    if start == "new":
        options.start_new()
    elif start == "earliest":
        options.start_earliest()
    elif isinstance(start, int):
        if start < 1:
            raise Invalid(f"subscribe: start is {start} (numbers begin at 1; or write 'earliest')")
        options.start_seq(start)
    elif isinstance(start, datetime | str):
        options.start_time(moment(start))
    else:
        raise TypeError("start: give 'new', 'earliest', a number, a datetime, or text like '-1h'")
