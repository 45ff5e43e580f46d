"""Readers that pull, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self

from marram import _core
from marram.errors import Closed
from marram.events import Event, Gap
from marram.options import SubscribeSettings
from marram.subscription import AutoAck, OnGap, check_max, warn_of_gap
from marram.values import Duration, micros

__all__ = ["Subscription"]


async def _readable(fd: int) -> None:
    """Wait until a descriptor is readable."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, wake)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


class Subscription:
    """A reader of events: ``async for``, or `fetch`; see `marram.Subscription`."""

    def __init__(
        self, bus: Callable[[], _core.Bus], settings: SubscribeSettings, on_gap: OnGap | None
    ) -> None:
        self._bus = bus
        self._settings = settings
        self._on_gap = on_gap or warn_of_gap
        self._core: _core.Subscription | None = None
        self._auto: AutoAck | None = None
        self._filling = asyncio.Lock()

    async def open(self) -> Self:
        """Subscribe, unless it is done."""
        if self._core is not None:
            return self
        async with self._filling:
            if self._core is None:
                options = self._settings.core()
                core = await asyncio.to_thread(self._bus().subscribe, options)
                if self._settings.auto_ack and self._settings.name:
                    self._auto = AutoAck(core)
                self._core = core
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.open().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        core = self._core or await self._opened()
        if self._auto:
            self._auto.come_back()
        while (event := core.pop(self)) is None:
            try:
                await self._fill(core)
            except Closed:
                if core.closed:
                    raise StopAsyncIteration from None
                raise
        if self._auto:
            self._auto.hand_out((event,))
        return event

    async def fetch(self, max: int = 100, timeout: Duration | None = None) -> list[Event]:
        """Return up to `max` events as soon as there is one; see `marram.Subscription.fetch`."""
        check_max(max)
        core = await self._opened()
        if self._auto:
            self._auto.come_back()
        events = core.pop_many(self, max)
        try:
            async with asyncio.timeout(None if timeout is None else micros(timeout) / 1e6):
                while not events:
                    await self._fill(core)
                    events = core.pop_many(self, max)
        except TimeoutError:
            return []
        if self._auto:
            self._auto.hand_out(events)
        return events

    async def collect(self, max: int, idle: Duration) -> list[Event]:
        """Return up to `max` events, fewer when none comes for `idle`."""
        events: list[Event] = []
        while len(events) < max and (more := await self.fetch(max - len(events), idle)):
            events += more
        return events

    def ack(self, *events: Event) -> None:
        """Settle events; never waits."""
        if self._core is not None:
            self._core.ack([(event.log, event.seq) for event in events])

    def nack(self, event: Event, delay: Duration = 0) -> None:
        """Ask for an event again after `delay`; never waits."""
        if self._core is not None:
            self._core.nack((event.log, event.seq), micros(delay))

    async def close(self) -> None:
        """End the subscription; loops over it end.  Twice is once."""
        if self._core is None:
            return
        if self._auto and not self._core.closed:
            self._auto.flush()
        self._core.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._auto and kind is None and self._core and not self._core.closed:
            self._auto.come_back()
        await self.close()

    async def _opened(self) -> _core.Subscription:
        await self.open()
        assert self._core is not None
        return self._core

    async def _fill(self, core: _core.Subscription) -> None:
        if self._auto:
            self._auto.flush()
        async with self._filling:
            while not core.fill(0):
                await _readable(core.fd())
        for gap in core.take_gaps():
            self._on_gap(Gap(gap.log, gap.first, gap.last, gap.reason))
