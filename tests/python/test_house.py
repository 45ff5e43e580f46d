"""What tools say of the package: types, stubs, style."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tool(*arguments: str) -> str:
    if find_spec(arguments[0].split(".")[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    ran = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def test_types_are_strict():
    assert tool("mypy") == ""


def test_stubs_are_what_the_module_has():
    said = tool(
        "mypy.stubtest",
        "marram._core",
        "--mypy-config-file=pyproject.toml",
        "--allowlist=tests/python/stubtest_allow.txt",
    )
    assert said == ""


def test_style():
    assert tool("ruff", "check", "python", "tests/python", "examples") == ""
    assert tool("ruff", "format", "--check", "python", "tests/python", "examples") == ""


def test_what_users_write_is_typed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import marram\n"
        "from typing import assert_type\n"
        "with marram.Node('data') as node:\n"
        "    assert_type(node, marram.Node)\n"
        "    assert_type(node.publish('a', b'x', key='k'), marram.Receipt)\n"
        "    assert_type(node.publish_many(['x'], topic='a')[0], marram.Receipt)\n"
        "    for event in node.subscribe('#', name='n', start='-1h'):\n"
        "        assert_type(event, marram.Event)\n"
        "        assert_type(event.payload, bytes)\n"
        "        node.publish(event)\n"
        "        node.publish('a', 1)  # error\n"
        "        node.publish('a', 'x', kee='k')  # error\n"
    )

    said = tool("mypy", "--strict", "--no-incremental", str(program))

    errors = sorted({line.split(":")[1] for line in said.splitlines() if ": error:" in line})
    assert errors == ["11", "12"], said
