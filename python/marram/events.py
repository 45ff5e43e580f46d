"""What is published and received, as values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, overload

from marram import _core
from marram.errors import Invalid

if TYPE_CHECKING:
    from marram.values import Duration

__all__ = ["Consumer", "Event", "Gap", "Payload", "Position", "Receipt", "Receipts"]

Payload = bytes | bytearray | memoryview | str
"""What `publish` takes as payload; a str is sent as UTF-8."""

HeaderPairs = tuple[tuple[str, str], ...]


class Position(NamedTuple):
    """Where an event stands: the number of a log in this node, and the number in it.

    Numbers of logs are good as long as the node or client is open that gave them.
    """

    log: int
    seq: int


class Source(Protocol):
    """What a received event is settled with."""

    def ack(self, *events: Event) -> None:
        """Settle events."""

    def nack(self, event: Event, delay: Duration = 0) -> None:
        """Ask for an event again."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event, to be published or as it was received.

    Parameters
    ----------
    topic
        Levels separated by ``/``, as in MQTT, without wildcards.
    payload
        The content, as bytes.
    key
        Events of one key are delivered one after the other; empty: the topic.
    content_type
        Such as ``application/json``.
    headers
        Pairs of name and value; a name may come more than once.
    id
        The identity of the event outside of Marram; empty: a UUIDv7 is made.
    time
        When it happened, with a time zone; None: when it is accepted.
    expires
        After this time nobody wants it any more; None: never.
    client, recorded, log, seq, attempt
        Of a received event: who published it (empty: the node itself), when it was
        stored, where it stands, and how often it has been handed out (from 1).

    Examples
    --------
    >>> event = Event("plant/1/temp", b'{"celsius": 21.5}')
    >>> event.json()
    {'celsius': 21.5}
    """

    topic: str
    payload: bytes = b""
    key: str = ""
    content_type: str = ""
    headers: HeaderPairs = ()
    id: str = ""
    time: datetime | None = None
    expires: datetime | None = None
    client: str = ""
    recorded: datetime | None = None
    log: int = 0
    seq: int = 0
    attempt: int = 1
    _source: Source | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def position(self) -> Position:
        """Where the event stands; (0, 0) before it is published."""
        return Position(self.log, self.seq)

    @property
    def text(self) -> str:
        """The payload read as UTF-8."""
        return self.payload.decode()

    def json(self) -> Any:
        """Return the payload read as JSON."""
        return json.loads(self.payload)

    def header(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first header of that name.

        Examples
        --------
        >>> Event("a", headers=(("unit", "C"),)).header("unit")
        'C'
        """
        return next((value for key, value in self.headers if key == name), default)

    def ack(self) -> None:
        """Settle the event: it is not handed out again.

        Raises
        ------
        Invalid
            The event was not received from a subscription.
        """
        self._received_from().ack(self)

    def nack(self, delay: Duration = 0) -> None:
        """Ask for the event again after `delay`, and behind it for those of its key.

        Raises
        ------
        Invalid
            The event was not received from a subscription.
        """
        self._received_from().nack(self, delay)

    def _received_from(self) -> Source:
        if self._source is None:
            raise Invalid("event: only what a subscription has handed out can be settled")
        return self._source

    def __getstate__(self) -> list[object]:
        return [getattr(self, name) for name in self.__slots__ if name != "_source"]

    def __setstate__(self, state: list[object]) -> None:
        for name, value in zip(self.__slots__, [*state, None], strict=True):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `publish` returns: the event is stored, here and at this time.

    Parameters
    ----------
    id, log, seq, recorded
        The event's id, where it stands, and when it was stored.
    level
        What `publish` was asked to wait for: ``stored``, ``replicated:2``, ``delivered:cloud``.
    pending
        The event is stored, but was not known to have reached `level` when the time was over;
        it goes on its way all the same.
    """

    id: str
    log: int
    seq: int
    recorded: datetime
    level: str = "stored"
    pending: bool = False

    @property
    def position(self) -> Position:
        """Where the event stands."""
        return Position(self.log, self.seq)


class Receipts(Sequence[Receipt]):
    """What `publish_many` returns: a `Receipt` for each event, made when asked for."""

    __slots__ = ("_parts", "_size")

    def __init__(self, parts: list[_core.Receipts]) -> None:
        self._parts = parts
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Receipt: ...
    @overload
    def __getitem__(self, index: slice) -> list[Receipt]: ...
    def __getitem__(self, index: int | slice) -> Receipt | list[Receipt]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._size))]
        left = index + self._size if index < 0 else index
        if not 0 <= left < self._size:
            raise IndexError(f"receipt {index} of {self._size}")
        for part in self._parts:
            if left < len(part):
                return part.at(left)
            left -= len(part)
        raise AssertionError("the sizes of the parts add up")

    def __iter__(self) -> Iterator[Receipt]:
        for part in self._parts:
            yield from map(part.at, range(len(part)))

    def __repr__(self) -> str:
        return f"<{self._size} receipts>"


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that a reader would have had but for a limit.

    Parameters
    ----------
    log
        The log that they are missing from, as in `Event.log`.
    first, last
        The numbers of the first and the last of them.
    reason
        ``retention``, ``unclaimed`` (retention, before any other node had them),
        ``drop_oldest``, ``ttl``, ``memory``, ``lost`` or ``corrupt``.
    """

    log: int
    first: int
    last: int
    reason: str

    def __str__(self) -> str:
        return f"events {self.first} to {self.last} of log {self.log} are gone: {self.reason}"


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable consumer, as it is stored.

    Parameters
    ----------
    name, filters
        What it is called and what it reads.
    attached
        Somebody reads with it now.
    backlog, oldest
        How many events are owed to it, and when the first of them was stored.
    in_flight, redelivered
        Handed out and not settled; handed out again so far.
    created
        When it was made.
    """

    name: str
    filters: tuple[str, ...]
    attached: bool
    backlog: int
    oldest: datetime | None
    in_flight: int
    redelivered: int
    created: datetime


def header_pairs(headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> HeaderPairs:
    """Return headers as `Event` keeps them."""
    if isinstance(headers, Mapping):
        return tuple(headers.items())
    return tuple(headers)
