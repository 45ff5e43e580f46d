"""Batches on their way to the store."""

from __future__ import annotations

import asyncio
import itertools

from marram import _core
from marram.errors import Closed, Error, Overloaded, TimedOut
from marram.values import Duration, micros

Answer = tuple[_core.Receipts, list[tuple[int, Error]]]


class Answers:
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
