"""What a program can do with a node, for asyncio."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Generator, Iterable
from time import monotonic
from types import TracebackType
from typing import Any, Self, Unpack, overload

from marram import _core
from marram.aio.answers import Answer, Answers
from marram.aio.subscription import Subscription
from marram.bus import (
    EventOptions,
    SubscribeOptions,
    await_level,
    consumer_of,
    event_of,
    settings_of,
)
from marram.errors import Closed, Error, refused
from marram.events import Consumer, Event, Payload, Receipt, Receipts
from marram.lifetime import registry
from marram.options import ClientSettings, NodeSettings, SubscribeSettings
from marram.subscription import OnGap
from marram.values import Duration, micros

__all__ = ["Bus"]

_BATCHES_AHEAD = 4  # of one publish_many() that are with the store at a time


class Bus:
    """The methods that `Node` and `Client` share; see `marram.Bus`.

    It belongs to the event loop in which it was opened.
    """

    def __init__(self, settings: NodeSettings | ClientSettings) -> None:
        self._settings = settings
        self._core: _core.Bus | None = None
        self._answers: Answers | None = None
        self._opening = asyncio.Lock()
        self._pulls: dict[str, tuple[SubscribeSettings, Subscription]] = {}

    async def open(self) -> Self:
        """Open it, unless it is done; ``async with`` and ``await`` do the same."""
        async with self._opening:
            if self._core is None:
                self._core = await asyncio.to_thread(registry.open, self._settings.open)
                self._answers = Answers(self._core)
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.open().__await__()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def name(self) -> str:
        """The node's name."""
        return self._opened().name

    @property
    def id(self) -> str:
        """The node's id."""
        return self._opened().id

    @overload
    async def publish(
        self, event: Event, /, *, timeout: Duration = 30, wait: str = "stored"
    ) -> Receipt: ...
    @overload
    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        wait: str = "stored",
        **options: Unpack[EventOptions],
    ) -> Receipt: ...
    async def publish(
        self,
        topic: str | Event,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        wait: str = "stored",
        **options: Unpack[EventOptions],
    ) -> Receipt:
        """Store an event; see `marram.Bus.publish`."""
        event, core = event_of(topic, payload, **options), self._opened()
        end = monotonic() + micros(timeout) / 1e6
        if wait != "stored":
            await asyncio.to_thread(core.reach, wait, (), micros(timeout))
        chunk = core.read(iter((event,)), "", None)
        assert chunk is not None
        assert self._answers is not None
        answer = await self._answers.submit(chunk, timeout)
        receipts, failures = await self._answers.wait(answer, timeout)
        if failures:
            raise refused(failures, 1)
        receipt = receipts.at(0)
        if wait == "stored":
            return receipt
        return await asyncio.to_thread(await_level, core, wait, receipt, end)

    @overload
    async def publish_many(
        self, events: Iterable[Event | tuple[str, Payload]], /, *, timeout: Duration = 30
    ) -> Receipts: ...
    @overload
    async def publish_many(
        self, payloads: Iterable[Payload], /, *, topic: str, timeout: Duration = 30
    ) -> Receipts: ...
    async def publish_many(
        self,
        events: Iterable[Event | tuple[str, Payload]] | Iterable[Payload],
        /,
        *,
        topic: str = "",
        timeout: Duration = 30,
    ) -> Receipts:
        """Store many events in order; see `marram.Bus.publish_many`."""
        core, answers = self._opened(), self._answers
        assert answers is not None
        items, count = iter(events), 0
        stored: list[Answer] = []
        ahead: deque[asyncio.Future[Answer]] = deque()
        while (chunk := core.read(items, topic, count)) is not None:
            count += chunk.size
            if len(ahead) == _BATCHES_AHEAD:
                stored.append(await answers.wait(ahead.popleft(), timeout))
            ahead.append(await answers.submit(chunk, timeout))
        while ahead:
            stored.append(await answers.wait(ahead.popleft(), timeout))
        return _receipts(stored)

    def subscribe(
        self,
        filters: str | Iterable[str],
        /,
        *,
        name: str | None = None,
        on_gap: OnGap | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Subscription:
        """Read events as they come; see `marram.Bus.subscribe`.

        It opens with ``async with``, ``await``, or when the first event is asked for.
        """
        return Subscription(self._opened, settings_of(filters, name, **options), on_gap)

    async def fetch(
        self,
        filters: str | Iterable[str],
        /,
        *,
        max: int = 1000,
        timeout: Duration = 1,
        name: str | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> list[Event]:
        """Return up to `max` events; see `marram.Bus.fetch`."""
        if not name:
            options.setdefault("start", "earliest")
            async with self.subscribe(filters, **options) as events:
                return await events.collect(max, timeout)
        settings = settings_of(filters, name, **options)
        known, pull = self._pulls.get(name, (None, None))
        if pull is None or known != settings:
            if pull is not None:
                await pull.close()
            pull = Subscription(self._opened, settings, None)
            self._pulls[name] = settings, pull
        try:
            return await pull.collect(max, timeout)
        except Error:
            self._pulls.pop(name, None)
            raise

    async def consumers(self) -> list[Consumer]:
        """Return the durable consumers, by name."""
        infos = await asyncio.to_thread(self._opened().consumers)
        return [consumer_of(info) for info in infos]

    async def remove_consumer(self, name: str) -> None:
        """Forget a durable consumer and what is owed to it."""
        await asyncio.to_thread(self._opened().remove_consumer, name)

    async def status(self) -> dict[str, Any]:
        """Return what ``marram status --json`` prints."""
        text = await asyncio.to_thread(self._opened().status_json)
        status: dict[str, Any] = json.loads(text)
        return status

    async def close(self) -> None:
        """Store what was taken, end subscriptions, and let go.  Twice is once."""
        core, answers = self._core, self._answers
        if core is None or answers is None or core.closed:
            return
        answers.stop()
        for _, pull in self._pulls.values():
            await pull.close()
        self._pulls.clear()
        await asyncio.to_thread(core.close)
        answers.finish()

    def _opened(self) -> _core.Bus:
        if self._core is None:
            raise Closed("this node is not open yet (use `async with`, or await it)")
        return self._core


def _receipts(stored: list[Answer]) -> Receipts:
    """Return the receipts of batches, or raise what was refused."""
    failures: list[tuple[int, Error]] = []
    first = 0
    for receipts, refusals in stored:
        failures += [(first + index, error) for index, error in refusals]
        first += len(receipts)
    if failures:
        raise refused(failures, first)
    return Receipts([receipts for receipts, _ in stored])
