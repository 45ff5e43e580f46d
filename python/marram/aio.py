"""The same as `marram`, for asyncio.

Publishing and reading wait on descriptors of the core; what opens, closes or asks
goes through a thread for a moment.

Examples
--------
>>> import asyncio, marram.aio
>>> async def main():
...     async with marram.aio.Node("data", durability="memory") as node:
...         async with node.subscribe("plant/#") as events:
...             await node.publish("plant/1/temp", "21.5")
...             async for event in events:
...                 return event.text
>>> asyncio.run(main())
'21.5'
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack, overload

from marram import _core
from marram.bus import EventOptions, SubscribeOptions, consumer_of, event_of, settings_of
from marram.errors import Closed, Error, Overloaded, TimedOut, refused
from marram.events import Consumer, Event, Gap, Payload, Receipt, Receipts
from marram.lifetime import registry
from marram.options import (
    ClientSettings,
    Durability,
    LogLevel,
    Mqtt,
    NodeSettings,
    Stream,
    SubscribeSettings,
)
from marram.subscription import AutoAck, OnGap, warn_of_gap
from marram.values import Duration, Size, micros

__all__ = ["Bus", "Client", "Node", "Subscription", "connect"]

Answer = tuple[_core.Receipts, list[tuple[int, Error]]]

_BATCHES_AHEAD = 4  # of one publish_many() that are with the store at a time


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


class _Answers:
    """Batches that were submitted and are not answered yet."""

    def __init__(self, core: _core.Bus) -> None:
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._tokens = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._fd = core.fd()
        self._loop.add_reader(self._fd, self._take)

    async def submit(self, chunk: _core.Chunk, timeout: Duration) -> asyncio.Future[Answer]:
        """Hand a batch to the store; return what will be its answer."""
        token = next(self._tokens)
        end = self._loop.time() + micros(timeout) / 1e6
        while True:
            try:
                self._core.submit(chunk, token)
                break
            except Overloaded:  # a store that has too much waiting holds publishers back
                if self._loop.time() >= end:
                    raise
                await asyncio.sleep(0.002)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        answer.add_done_callback(lambda _: self._waiting.pop(token, None))
        self._waiting[token] = answer
        return answer

    async def wait(self, answer: asyncio.Future[Answer], timeout: Duration) -> Answer:
        """Wait for an answer."""
        try:
            async with asyncio.timeout(micros(timeout) / 1e6):
                return await answer
        except TimeoutError:
            raise TimedOut(
                f"publish: not stored within {timeout} s (it may be stored later; publish again "
                "with the same id, or give a longer timeout)"
            ) from None

    def _take(self) -> None:
        for token, receipts, failures in self._core.take_answers():
            answer = self._waiting.get(token)
            if answer is not None and not answer.done():
                answer.set_result((receipts, failures))

    def stop(self) -> None:
        """Listen no longer."""
        self._loop.remove_reader(self._fd)

    def finish(self) -> None:
        """Give out the last answers; there are none for the rest."""
        self._take()
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(Closed("this node has been closed (open a new one)"))


class Subscription:
    """A reader of events: ``async for``, or `fetch`; see `marram.Subscription`."""

    def __init__(self, bus: Bus, settings: SubscribeSettings, on_gap: OnGap | None) -> None:
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
                bus = self._bus._opened()
                core = await asyncio.to_thread(bus.subscribe, self._settings.core())
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


class Bus:
    """The methods that `Node` and `Client` share; see `marram.Bus`.

    It belongs to the event loop in which it was opened.
    """

    def __init__(self, settings: NodeSettings | ClientSettings) -> None:
        self._settings = settings
        self._core: _core.Bus | None = None
        self._answers: _Answers | None = None
        self._opening = asyncio.Lock()
        self._pulls: dict[str, tuple[SubscribeSettings, Subscription]] = {}

    async def open(self) -> Self:
        """Open it, unless it is done; ``async with`` and ``await`` do the same."""
        async with self._opening:
            if self._core is None:
                self._core = await asyncio.to_thread(registry.open, self._settings.open)
                self._answers = _Answers(self._core)
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
    async def publish(self, event: Event, /, *, timeout: Duration = 30) -> Receipt: ...
    @overload
    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        **options: Unpack[EventOptions],
    ) -> Receipt: ...
    async def publish(
        self,
        topic: str | Event,
        payload: Payload = b"",
        /,
        *,
        timeout: Duration = 30,
        **options: Unpack[EventOptions],
    ) -> Receipt:
        """Store an event; see `marram.Bus.publish`."""
        event = event_of(topic, payload, **options)
        chunk = self._opened().read(iter((event,)), "", None)
        assert chunk is not None
        assert self._answers is not None
        answer = await self._answers.submit(chunk, timeout)
        receipts, failures = await self._answers.wait(answer, timeout)
        if failures:
            raise refused(failures, 1)
        return receipts.at(0)

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
        return Subscription(self, settings_of(filters, name, **options), on_gap)

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
            pull = Subscription(self, settings, None)
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
