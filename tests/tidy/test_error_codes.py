"""The codes of errors agree: enum, stable names, docs/errors.md and Python's classes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
import tree

EXITS = {0, 1, 64, 69, 74, 75, 77, 78}
PYTHON_CLASSES = PurePosixPath("python/marram/errors.py")


def listed(path: str, opening: str) -> str:
    """What stands between the opening and "};"."""
    found = re.search(re.escape(opening) + r"(.*?)\};", tree.text(PurePosixPath(path)), re.DOTALL)
    assert found
    return found[1]


def codes() -> list[str]:
    """Names of the enum, in order."""
    body = listed("core/base/result.h", "enum class Errc {")
    return re.findall(r"^\s*(\w+)\s*,", tree.blank(body), re.MULTILINE)


def names() -> list[str]:
    """Stable names, in order."""
    return re.findall(r'"(\w+)"', listed("core/base/result.cc", "kNames = {"))


def page() -> str:
    return tree.text(PurePosixPath("docs/errors.md"))


def rows() -> list[list[str]]:
    """The cells of the table of codes."""
    lines = [line for line in page().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def test_every_code_has_its_stable_name() -> None:
    assert len(codes()) == 18
    assert [camel(name) for name in names()] == codes()


def test_the_page_has_each_code_once_and_in_order() -> None:
    assert [row[0].strip("`") for row in rows()] == names()
    assert [row[1].strip("`") for row in rows()] == codes()


def test_each_code_says_what_it_means_what_is_lost_and_what_to_do() -> None:
    for row in rows():
        assert len(row) == 5, row
        assert all(cell.endswith(".") for cell in row[2:]), row


def test_each_code_has_one_exit_code() -> None:
    table = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|$", page(), re.MULTILINE)
    has_exit = [name for _, cell in table for name in re.findall(r"`(\w+)`", cell)]

    assert {int(number) for number, _ in table} == EXITS
    assert sorted(has_exit) == sorted(names())


def test_python_has_a_class_for_each_code() -> None:
    if PYTHON_CLASSES not in tree.files():
        pytest.skip("there is no Python package in this tree")
    classes = re.findall(r"^class (\w+)\(", tree.text(PYTHON_CLASSES), re.MULTILINE)

    assert set(codes()) <= set(classes)
