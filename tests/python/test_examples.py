"""The examples do what they say, and so does what the documentation shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import marram

ROOT = Path(__file__).parents[2]
MODULES = [
    f"marram.{module.name}"
    for module in pkgutil.iter_modules(marram.__path__)
    if module.name not in ("_core", "__main__")
]


def example(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_publisher_and_consumer(data_dir):
    with marram.Node(data_dir, listen=True) as node:
        published = example("publisher", data_dir, 5)
        first = example("consumer", data_dir, "--count", 2)
        second = example("consumer", data_dir, "--count", 3)
        assert [event.client for event in node.fetch("#", max=5)] == ["publisher.py"] * 5

    assert published.stdout.count("stored") == 5, published.stderr
    topics = [line.split()[0] for line in (first.stdout + second.stdout).splitlines()]
    assert topics == [f"plant/{number % 3}/temp" for number in range(5)], second.stderr


def test_device(data_dir):
    with marram.Node(data_dir, mqtt="mqtt://127.0.0.1:0") as node:
        port = node.mqtt_endpoints[0].rsplit(":", 1)[1]
        device = example("device", "127.0.0.1", port, "--count", 3, "--every", 0)
        events = node.fetch("plant/7/meter", max=3)

    assert device.stdout.count("acknowledged") == 3, device.stderr
    assert [event.json()["kwh"] for event in events] == [1000, 1001, 1002]


@pytest.mark.parametrize("name", ["marram", *MODULES])
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    for number, test in enumerate(doctest.DocTestFinder(exclude_empty=True).find(module)):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))  # each has its own "data"
        test.globs.update(marram=marram)
        results = doctest.DocTestRunner().run(test)
        assert results.failed == 0, test.name


def test_examples_in_the_guide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL
    )
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        if "import pandas" in block and find_spec("pandas") is None:
            continue
        exec(compile(block, "docs/python.md", "exec"), names)
