"""Files say what they are: names, opening comments, and nothing of the machine they grew on."""

from __future__ import annotations

import re

import pytest
import tree

NO_NOUN = {"util", "utils", "helper", "helpers", "common", "manager", "impl", "misc"}

REGISTRIES = (
    r"\b(pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.com|crates\.io|deb\.debian\.org"
    r"|snapshot\.debian\.org|proxy\.golang\.org|sum\.golang\.org|rubygems\.org|repo1?\.maven"
    r"|docker\.io|ghcr\.io|quay\.io)"
)
MACHINE_PATHS = r"(?<![\w./~$}>-])/(work|home/\w+|root|Users|tmp/s)(/|\b)"
# Whoever names them to forbid them.
EXEMPT = {"tests/tidy/test_names.py"}


def test_every_file_has_a_noun() -> None:
    wrong = [
        str(path)
        for path in tree.files()
        if NO_NOUN & set(re.split(r"[_.-]", path.name.lower())) or NO_NOUN & set(path.parts[:-1])
    ]

    assert not wrong, "\n".join(wrong)


def test_sources_are_named_in_snake_case() -> None:
    wrong = [
        str(path)
        for path in tree.matching(tree.EVERY_CPP, r".+\.py")
        if not re.fullmatch(r"[a-z0-9_]+\.\w+", path.name)
    ]

    assert not wrong, "\n".join(wrong)


def test_headers_open_with_a_comment_and_are_read_once() -> None:
    wrong = []
    for path in tree.matching(r".+\.h"):
        text = tree.text(path)
        if not text.startswith("// "):
            wrong.append(f"{path}: does not say what it is")
        if not re.match(r"(//[^\n]*\n)+#pragma once\n", text):
            wrong.append(f"{path}: no #pragma once right behind the opening comment")

    assert not wrong, "\n".join(wrong)


def test_tests_have_a_suite_that_is_their_path() -> None:
    wrong = []
    for path in tree.matching(r"tests/\w+/\w+_test\.cc"):
        suites = re.findall(r'TEST_SUITE(?:_BEGIN)?\("([^"]+)"\)', tree.text(path))
        expected = f"{path.parts[1]}/{path.stem.removesuffix('_test')}"
        if not suites or not all(suite.replace(" ", "_").startswith(expected) for suite in suites):
            wrong.append(f"{path}: {suites}, not {expected}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS])
def test_nothing_names_a_registry_or_a_path_of_somebodys_machine(pattern: str) -> None:
    wrong = []
    for path in tree.files():
        if str(path) in EXEMPT or not tree.is_text(path):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if found := re.search(pattern, line):
                wrong.append(f"{path}:{number}: {found[0]}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("line", ["cd /home/ada/x", '"/root/key"', "`/work/x`", "get pypi.org/x"])
def test_such_lines_are_found(line: str) -> None:
    assert re.search(REGISTRIES, line) or re.search(MACHINE_PATHS, line)


@pytest.mark.parametrize("line", ["tests/work/x", "$HOME/home/x", "the /worker", "a/root/b"])
def test_other_lines_are_left_alone(line: str) -> None:
    assert not re.search(MACHINE_PATHS, line)
