"""Tests wait for what they want to see: no fixed sleeps, no fixed ports, no broad kills."""

from __future__ import annotations

import re

import pytest
import tree

# A pause in a loop that polls another process; a test that sleeps longer waits for luck.
PAUSE_MAX_SECONDS = 0.1

CPP_SLEEP = r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?:^\s*|[;{}=(]\s*|::)sleep\("
# Ports that something is bound to; 0 lets the system choose.
CPP_PORT = r"(?:listen|bind)\w*\W{1,6}[^;\n]*(?:127\.0\.0\.1|localhost|\*):([1-9]\d*)"
PYTHON_PORT = r"""(?:bind\(\s*\(\s*["'][\d.]*["']\s*,|\bport\s*=)\s*([1-9]\d+)"""
BROAD_KILL = r"\b(pkill|killall)\b"

# Their texts are configurations that nobody opens.
PORTS_ONLY_WRITTEN = r"tests/(cli|connectors)/.+\.cc"

PYTHON_TESTS = r"tests/(python|e2e|tidy)/.+\.py"
SELF = "tests/tidy/test_tests.py"


def python_sleeps(text: str) -> list[str]:
    """Calls of sleep() that are no short pause."""
    wrong = []
    for found in re.finditer(r"(?<!def )\bsleep\(([^)]*)\)", text):
        try:
            short = float(found[1]) <= PAUSE_MAX_SECONDS
        except ValueError:
            short = False
        if not short:
            wrong.append(found[0])
    return wrong


def lines_with(pattern: str, *paths: str, code: bool = True) -> list[str]:
    wrong = []
    for path in tree.matching(*paths):
        if str(path) == SELF:
            continue
        text = tree.code(path) if code else tree.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if found := re.search(pattern, line):
                wrong.append(f"{path}:{number}: {found[0]}")
    return wrong


def test_no_cpp_test_sleeps() -> None:
    wrong = lines_with(CPP_SLEEP, r"tests/.+\.(h|cc)")

    assert not wrong, "\n".join(wrong)


def test_no_python_test_sleeps_for_a_fixed_time() -> None:
    wrong = [
        f"{path}: {call}"
        for path in tree.matching(PYTHON_TESTS)
        if str(path) != SELF
        for call in python_sleeps(tree.text(path))
    ]

    assert not wrong, "\n".join(wrong)


def test_no_test_binds_a_fixed_port() -> None:
    only_written = {str(path) for path in tree.matching(PORTS_ONLY_WRITTEN)}
    wrong = lines_with(CPP_PORT, r"tests/.+\.(h|cc)", code=False)
    wrong = [line for line in wrong if line.split(":")[0] not in only_written]
    wrong += lines_with(PYTHON_PORT, PYTHON_TESTS, code=False)

    assert not wrong, "\n".join(wrong)


def test_nothing_is_stopped_by_its_name() -> None:
    wrong = lines_with(BROAD_KILL, r"(tests|bench|examples)/.+", r"dev", code=False)

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("call", ["time.sleep(1)", "await asyncio.sleep(0.5)", "sleep(delay)"])
def test_a_fixed_sleep_is_found(call: str) -> None:
    assert python_sleeps(call)


def test_a_short_pause_is_left_alone() -> None:
    assert not python_sleeps("while not ready(): time.sleep(0.02)")


def test_a_fixed_port_is_found() -> None:
    assert re.search(CPP_PORT, '.listen = {"mqtt://127.0.0.1:1883"}')
    assert not re.search(CPP_PORT, '.listen = {"mqtt://127.0.0.1:0"}')
    assert re.search(PYTHON_PORT, 'server.bind(("127.0.0.1", 1883))')
    assert not re.search(PYTHON_PORT, 'server.bind(("127.0.0.1", 0))')
