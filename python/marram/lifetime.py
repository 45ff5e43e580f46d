"""Nodes and the interpreter's end: what is still open then is closed in good order.

Threads that wait inside the core come back before Python takes itself apart, so
that a program may end without `close`, and daemon threads may wait in `fetch`.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from weakref import WeakSet

from marram import _core
from marram.errors import Closed

_PATIENCE_S = 5.0


class Registry:
    """The nodes and clients that are open, and the calls that open one."""

    def __init__(self) -> None:
        self._open: WeakSet[_core.Bus] = WeakSet()
        self._opening: set[object] = set()
        self._finished = False

    def open(self, opening: Callable[[], _core.Bus]) -> _core.Bus:
        """Open a node or client, and close it at the interpreter's end."""
        if self._finished:
            raise Closed("the interpreter is about to end (open nodes before)")
        call = object()
        self._opening.add(call)
        try:
            bus = opening()
            self._open.add(bus)
        finally:
            self._opening.discard(call)
        if self._finished:
            bus.close()
        return bus

    def finish(self) -> None:
        """Close what is open and wait for the calls that are under way."""
        self._finished = True
        end = time.monotonic() + _PATIENCE_S
        while self._opening and time.monotonic() < end:
            time.sleep(0.005)
        buses = [bus for bus in self._open if not bus.forked]
        for bus in buses:
            bus.close()
        while any(bus.calls for bus in buses) and time.monotonic() < end:
            time.sleep(0.001)

    def forget_opening(self) -> None:
        """In a child after fork(): the parent's threads that opened are not here."""
        self._opening.clear()


registry = Registry()
atexit.register(registry.finish)
os.register_at_fork(after_in_child=registry.forget_opening)
