"""What a program can do with a node, embedded or running elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack, overload

from marram import _core
from marram.errors import Error, Invalid, refused
from marram.events import Consumer, Event, Payload, Receipt, Receipts, header_pairs
from marram.lifetime import registry
from marram.options import ClientSettings, NodeSettings, Start, SubscribeSettings
from marram.subscription import OnGap, Subscription
from marram.values import Duration, Time, deadline, micros, moment

__all__ = ["Bus"]

_UNSET: Any = object()


class EventOptions(TypedDict, total=False):
    """What `publish` takes besides topic and payload; see `Event`."""

    json: Any
    key: str
    content_type: str
    headers: Mapping[str, str] | Sequence[tuple[str, str]]
    id: str
    time: Time | None
    expires: Time | Duration | None


class SubscribeOptions(TypedDict, total=False):
    """What `subscribe` takes besides filters and name; see there."""

    start: Start | None
    auto_ack: bool | None
    in_flight_max: int
    ack_wait: Duration
    take_over: bool


def event_of(
    topic: str | Event,
    payload: Payload = b"",
    *,
    json: Any = _UNSET,
    key: str = "",
    content_type: str = "",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    id: str = "",
    time: Time | None = None,
    expires: Time | Duration | None = None,
) -> Event:
    """Return the event that is meant by the arguments of `publish`."""
    if isinstance(topic, Event):
        return topic
    if json is not _UNSET:
        payload, content_type = as_json(json), content_type or "application/json"
    return Event(
        topic,
        as_bytes(payload),
        key,
        content_type,
        header_pairs(headers),
        id,
        None if time is None else moment(time),
        None if expires is None else deadline(expires),
    )


def as_json(value: Any) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def as_bytes(payload: Payload) -> bytes:
    """Return a payload's bytes."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode()
    if isinstance(payload, bytearray | memoryview):
        return bytes(payload)
    raise TypeError(
        f"payload: cannot publish {type(payload).__name__} "
        "(give bytes or str; or json=..., for what JSON can write)"
    )


def settings_of(
    filters: str | Iterable[str],
    name: str | None,
    *,
    start: Start | None = None,
    auto_ack: bool | None = None,
    in_flight_max: int = 1000,
    ack_wait: Duration = 30,
    take_over: bool = False,
) -> SubscribeSettings:
    """Return what is meant by the arguments of `subscribe`."""
    filters = (filters,) if isinstance(filters, str) else tuple(filters)
    if not filters:
        raise Invalid("subscribe: there is no filter (write '#' to read everything)")
    return SubscribeSettings(
        filters=filters,
        name=name,
        start=start,
        auto_ack=not name if auto_ack is None else auto_ack,
        in_flight_max=in_flight_max,
        ack_wait=ack_wait,
        take_over=take_over,
    )


def await_level(core: _core.Bus, level: str, receipt: Receipt, end: float) -> Receipt:
    """Wait until the event reaches a level, or `end` of the monotonic clock."""
    left = max(0, int((end - monotonic()) * 1e6))
    try:
        reached = core.reach(level, [(receipt.log, receipt.seq)], left)
    except Error:  # whatever goes wrong now, the event is stored
        reached = False
    return replace(receipt, level=level, pending=not reached)


def consumer_of(info: _core.ConsumerInfo) -> Consumer:
    """Return what the core says of a consumer."""
    return Consumer(
        info.name,
        tuple(info.filters),
        info.attached,
        info.backlog,
        info.oldest,
        info.in_flight,
        info.redelivered,
        info.created,
    )


class Bus:
    """The methods that `Node` and `Client` share.

    All of them may be called from any thread.
    """

    def __init__(self, settings: NodeSettings | ClientSettings) -> None:
        self._core = registry.open(settings.open)
        self._pulls: dict[str, tuple[SubscribeSettings, Subscription]] = {}
        self._pulling = Lock()

    @property
    def name(self) -> str:
        """The node's name."""
        return self._core.name

    @property
    def id(self) -> str:
        """The node's id, which stays for as long as its data directory does."""
        return self._core.id

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._core.closed

    @overload
    def publish(
        self, event: Event, /, *, timeout: Duration = 30, wait: str = "stored"
    ) -> Receipt: ...
    @overload
    def publish(
        self,
        topic: str,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        wait: str = "stored",
        **options: Unpack[EventOptions],
    ) -> Receipt: ...
    def publish(
        self,
        topic: str | Event,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        wait: str = "stored",
        **options: Unpack[EventOptions],
    ) -> Receipt:
        """Store an event; return when it is stored as its stream promises.

        Parameters
        ----------
        topic
            Where, or a whole `Event` (then nothing else but `timeout` and `wait`).
        payload
            bytes or a buffer; a str is sent as UTF-8.
        json
            Instead of a payload: a value to be written as JSON.
        key, content_type, headers, id, time, expires
            As in `Event`; headers may be a mapping, times text, and `expires` a
            duration from now.
        timeout
            How long to wait for the disk, or for a store that has too much to do; and for
            what `wait` says.
        wait
            ``stored``; or ``replicated:N``: N other nodes that have the whole stream (they
            pass it on, or carry it) have stored it too; or
            ``delivered:ROUTE``: the outside system of a route of this node has it.

        Returns
        -------
        Receipt
            With the event's id and where it stands; `Receipt.pending` when it is stored but
            what `wait` says was not reached in time.

        Raises
        ------
        Invalid, TooLarge, Refused
            The event breaks a rule or is over a limit; nothing was done.
        Unsupported, NotFound
            `wait` asks for replication where there is no mesh, or for a route that is
            not here; nothing was done.
        Full
            There is no space; try again later.
        TimedOut
            Not known to be stored yet.  To publish again with the same `id` is safe
            for consumers that drop repeated ids.
        """
        event, micros_left = event_of(topic, payload, **options), micros(timeout)
        if wait == "stored":
            return self._core.publish(event, micros_left)
        end = monotonic() + micros_left / 1e6
        self._core.reach(wait, (), micros_left)
        return await_level(self._core, wait, self._core.publish(event, micros_left), end)

    @overload
    def publish_many(
        self, events: Iterable[Event | tuple[str, Payload]], /, *, timeout: Duration = 30
    ) -> Receipts: ...
    @overload
    def publish_many(
        self, payloads: Iterable[Payload], /, *, topic: str, timeout: Duration = 30
    ) -> Receipts: ...
    def publish_many(
        self,
        events: Iterable[Event | tuple[str, Payload]] | Iterable[Payload],
        /,
        *,
        topic: str = "",
        timeout: Duration = 30,
    ) -> Receipts:
        """Store many events in order; return when all of them are stored.

        They go to the disk in batches of 1 MiB, one while the next is read, so
        that `events` may be longer than memory.

        Parameters
        ----------
        events
            `Event`, or tuples (topic, payload); payloads alone when `topic` is given.
        topic
            The topic of all.
        timeout
            How long to wait for each batch.

        Raises
        ------
        Invalid, TooLarge, Refused, TypeError
            One of them breaks a rule; the message has its number, from 0.  It and those
            behind it are not stored; those more than a batch before it may be.
        Error
            Some were refused by the store, such as `Full`; its `failures` say which and
            why.  The others are stored.
        """
        receipts, failures = self._core.publish_many(iter(events), topic, micros(timeout))
        if failures:
            raise refused(failures, len(receipts))
        return Receipts([receipts])

    def subscribe(
        self,
        filters: str | Iterable[str],
        /,
        *,
        name: str | None = None,
        on_gap: OnGap | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Subscription:
        """Read events as they come.

        Parameters
        ----------
        filters
            One or several, such as ``"plant/+/temp"`` or ``"plant/#"``.
        name
            Makes the reader durable: its place is stored, it goes on where it was after
            a restart, and what is owed to it stays in the store.
        start
            Where a reader begins that is not known yet: ``"new"`` (unless it has a
            name), ``"earliest"`` (if it has one), a number, a time, or ``"-1h"``.
        auto_ack
            True: an event is settled when its reader comes back for the next one, or
            leaves the ``with`` block without an error.  False: by `Event.ack` only.
            By default True without a name, and False with one.
        in_flight_max
            How many events may be handed out and not settled.
        ack_wait
            After this time an event that is not settled is handed out again.
        take_over
            End another reader of that name; else it is an error (`Busy`).
        on_gap
            Called, by the thread that reads, with each `Gap` in what was stored; by
            default a `GapWarning` is given.

        Examples
        --------
        >>> import marram
        >>> with marram.Node("data", durability="memory") as node:
        ...     with node.subscribe("plant/#") as events:
        ...         receipt = node.publish("plant/1/temp", "21.5")
        ...         for event in events:
        ...             print(event.topic, event.text)
        ...             break
        plant/1/temp 21.5
        """
        settings = settings_of(filters, name, **options)
        core = self._core.subscribe(settings.core())
        auto_ack = settings.auto_ack and name is not None
        return Subscription(core, auto_ack=auto_ack, on_gap=on_gap)

    def fetch(
        self,
        filters: str | Iterable[str],
        /,
        *,
        max: int = 1000,
        timeout: Duration = 1,
        name: str | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> list[Event]:
        """Return up to `max` events, fewer when none comes for `timeout`.

        Without a name it reads what is stored, from `start` on (by default all of it).
        With a name it takes what is owed to that durable consumer, which stays open for
        the acks that follow, until this node or client is closed.

        Examples
        --------
        >>> import marram
        >>> with marram.Node("data", durability="memory") as node:
        ...     receipts = node.publish_many([("a", "1"), ("b", "2")])
        ...     [event.text for event in node.fetch("#", max=2)]
        ['1', '2']
        """
        if not name:
            options.setdefault("start", "earliest")
            with self.subscribe(filters, **options) as events:
                return events.collect(max, timeout)
        settings = settings_of(filters, name, **options)
        with self._pulling:
            pull = self._pull(name, settings)
        try:
            return pull.collect(max, timeout)
        except Error:
            with self._pulling:
                self._pulls.pop(name, None)
            raise

    def _pull(self, name: str, settings: SubscribeSettings) -> Subscription:
        known, pull = self._pulls.get(name, (None, None))
        if pull is not None and known == settings:
            return pull
        if pull is not None:
            pull.close()
        core = self._core.subscribe(settings.core())
        pull = Subscription(core, auto_ack=settings.auto_ack)
        self._pulls[name] = settings, pull
        return pull

    def consumers(self) -> list[Consumer]:
        """Return the durable consumers, by name."""
        return [consumer_of(info) for info in self._core.consumers()]

    def remove_consumer(self, name: str) -> None:
        """Forget a durable consumer and what is owed to it.

        Raises
        ------
        NotFound
            There is none of that name.
        Busy
            Somebody reads with it.
        """
        self._core.remove_consumer(name)

    def status(self) -> dict[str, Any]:
        """Return what ``marram status --json`` prints; docs/status.md has the fields."""
        status: dict[str, Any] = json.loads(self._core.status_json())
        return status

    def close(self) -> None:
        """Store what was taken, end subscriptions, and let go.  Twice is once."""
        for _, pull in self._pulls.values():
            pull.close()
        self._pulls.clear()
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        core: _core.Bus | None = getattr(self, "_core", None)
        if core is None or core.closed or core.forked:
            return
        text = f"{self!r} was not closed"
        core.close()
        warnings.warn(text, ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        if self._core.forked:
            return f"<marram.{type(self).__name__} of the parent process>"
        state = ", closed" if self._core.closed else ""
        return f"<marram.{type(self).__name__} {self._core.name!r}{state}>"

    def __reduce__(self) -> str:
        raise TypeError(
            "a node cannot go to another process (give it the data directory, and "
            "call marram.connect() there)"
        )
