"""What the tests of the Python package share."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import marram


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """No test takes longer than this; a wait that cannot be interrupted ends it all."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError("the test took more than 100 s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(os.environ.get("MARRAM_TEST_PATIENCE", "100")))
    faulthandler.dump_traceback_later(130, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def node(data_dir: Path) -> Iterator[marram.Node]:
    with marram.Node(data_dir, name="test") as opened:
        yield opened


class Program:
    """A Python program in a process of its own, which talks over its stdin and stdout."""

    def __init__(self, text: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def line(self) -> str:
        """Wait for the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.errors()}"
        return line.strip()

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self, timeout: float = 60) -> tuple[int, str, str]:
        """Wait for its end; return its exit code, the rest of its output, and its errors."""
        out, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, errors

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(text: str, *arguments: object) -> Program:
        programs.append(Program(text, *arguments))
        return programs[-1]

    yield start
    for program in programs:
        program.stop()
