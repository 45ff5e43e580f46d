"""Readers that pull."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from threading import Lock, local
from types import TracebackType
from typing import Self

from marram import _core
from marram.errors import Closed, GapWarning, Invalid
from marram.events import Event, Gap
from marram.values import Duration, micros, optional_micros

__all__ = ["Subscription"]

OnGap = Callable[[Gap], object]


def warn_of_gap(gap: Gap) -> None:
    """Say that events are missing; what happens unless `on_gap` is given."""
    warnings.warn(str(gap), GapWarning, stacklevel=4)


def check_max(max: int) -> None:
    """Refuse to wait for less than one event, which would never come."""
    if max < 1:
        raise Invalid(f"fetch: max is {max} (write 1 or more)")


class AutoAck:
    """Settles what was handed out when its reader comes back for more.

    Settled by the batch: at most 256 events and 0.2 s later.
    """

    _EVENTS = 256
    _SECONDS = 0.2

    def __init__(self, core: _core.Subscription) -> None:
        self._core = core
        self._of_thread = local()
        self._done: list[tuple[int, int]] = []
        self._flushed = time.monotonic()

    def hand_out(self, events: Iterable[Event]) -> None:
        """Note what the calling thread gets."""
        self._of_thread.handed = [(event.log, event.seq) for event in events]

    def come_back(self) -> None:
        """Settle what the calling thread had got."""
        handed = getattr(self._of_thread, "handed", None)
        if handed:
            self._done += handed
            self._of_thread.handed = None
        if len(self._done) >= self._EVENTS or time.monotonic() - self._flushed > self._SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell the node."""
        self._flushed = time.monotonic()
        if self._done:
            done, self._done = self._done, []
            self._core.ack(done)


class Subscription:
    """A reader of events: iterate over it, or `fetch` batches.

    Made by `Node.subscribe` and `Client.subscribe`.  It may be used by several
    threads, each of which gets events of its own.  Leaving its ``with`` block, or
    dropping it, ends it; a durable consumer keeps its place.
    """

    def __init__(
        self, core: _core.Subscription, *, auto_ack: bool, on_gap: OnGap | None = None
    ) -> None:
        self._core = core
        self._auto = AutoAck(core) if auto_ack else None
        self._on_gap = on_gap or warn_of_gap
        self._filling = Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if self._auto:
            self._auto.come_back()
        while (event := self._core.pop(self)) is None:
            try:
                self._fill(None)
            except Closed:
                if self._core.closed:
                    raise StopIteration from None
                raise
        if self._auto:
            self._auto.hand_out((event,))
        return event

    def fetch(self, max: int = 100, timeout: Duration | None = None) -> list[Event]:
        """Return up to `max` events as soon as there is at least one.

        Parameters
        ----------
        max
            How many at most.
        timeout
            How long to wait for the first; None: for ever.

        Returns
        -------
        list of Event
            Empty when the time has passed.

        Raises
        ------
        Invalid
            `max` is less than 1.
        Closed
            The subscription or its node has been closed.
        Error
            What else ended the subscription, such as `Busy` when another member took over.
        """
        check_max(max)
        if self._auto:
            self._auto.come_back()
        left = optional_micros(timeout)
        end = None if left is None else time.monotonic() + left / 1e6
        while not (events := self._core.pop_many(self, max)):
            if end is not None:
                left = round((end - time.monotonic()) * 1e6)
            if not self._fill(left) and left is not None:
                return []
        if self._auto:
            self._auto.hand_out(events)
        return events

    def collect(self, max: int, idle: Duration) -> list[Event]:
        """Return up to `max` events, fewer when none comes for `idle`."""
        events: list[Event] = []
        while len(events) < max and (more := self.fetch(max - len(events), idle)):
            events += more
        return events

    def ack(self, *events: Event) -> None:
        """Settle events: they are not handed out again.

        It is on disk soon after; until then, after a crash, they may come again.
        """
        self._core.ack([(event.log, event.seq) for event in events])

    def nack(self, event: Event, delay: Duration = 0) -> None:
        """Ask for an event again after `delay`, and behind it for those of its key."""
        self._core.nack((event.log, event.seq), micros(delay))

    def fileno(self) -> int:
        """Return a descriptor that is readable when `fetch` may have something."""
        return self._core.fd()

    def close(self) -> None:
        """End the subscription; loops over it end.  Twice is once."""
        if self._auto and not self._core.closed:
            self._auto.flush()
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._auto and kind is None and not self._core.closed:
            self._auto.come_back()
        self.close()

    def __reduce__(self) -> str:
        raise TypeError("a subscription cannot go to another process (subscribe there)")

    def _fill(self, timeout_micros: int | None) -> bool:
        if self._auto:
            self._auto.flush()
        left = None if timeout_micros is None else max(timeout_micros, 0)
        if not self._filling.acquire(timeout=-1 if left is None else left / 1e6):
            return False
        try:
            filled = self._core.fill(left)
        finally:
            self._filling.release()
        for gap in self._core.take_gaps():
            self._on_gap(Gap(gap.log, gap.first, gap.last, gap.reason))
        return filled
