"""Finds functions in C++ that clang-format has laid out; no parser, good enough to measure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
_NAME = re.compile(r"((?:\w+::)*(?:~?\w+|operator\s*\S{1,3}))\s*\(")
_NO_FUNCTION = {"if", "for", "while", "switch", "return", "decltype", "noexcept", "alignas"}


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int
    parameters: int


def in_source(code: str) -> Iterator[Function]:
    """Definitions, and declarations at namespace or class level, in blanked code."""
    code = re.sub(
        r"^#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.MULTILINE
    )
    stack: list[tuple[str, str, int]] = []  # kind of brace, head before it, where the head began
    began = 0
    for at in (match.start() for match in re.finditer(r"[;{}]", code)):
        head = code[began:at]
        outside = all(kind == "scope" for kind, _, _ in stack)
        if code[at] == "{":
            stack.append((_kind(head, outside), head, began))
        elif code[at] == "}":
            kind, opening, start = stack.pop() if stack else ("block", "", 0)
            if kind == "part":
                continue  # the head goes on behind it
            if kind == "function":
                yield from _function(code, opening, start, at)
        elif outside:
            yield from _function(code, head, began, at)
        if not stack or stack[-1][0] != "part":
            began = at + 1


def _kind(head: str, outside: bool) -> str:
    if not outside:
        return "block"
    if head.count("(") > head.count(")"):
        return "part"  # a default argument
    if re.search(r"\)\s*(?:noexcept\s*)?:\s", head) and re.search(r"(?<!const)(?<=\w)\s*$", head):
        return "part"  # a member in an initializer list
    if "(" not in head:
        return "scope" if _SCOPE.search(head) else "block"
    return "block" if re.search(r"=\s*$", head) else "function"


def _function(code: str, head: str, start: int, end: int) -> Iterator[Function]:
    lead = re.match(r"\s*(?:(?:public|private|protected):\s*)?", head)
    start += lead.end() if lead else 0
    head = head[lead.end() if lead else 0 :]
    head = re.sub(r"^template\s*<[^{]*?>\s*(?=\w)", "", head)
    found = _NAME.search(_outside_angles(head))
    if found is None or found[1] in _NO_FUNCTION:
        return
    before = head[: found.start()]
    if "=" in before or before.rstrip().endswith((".", "->", ",")) or "using" in before.split():
        return
    first = code[:start].count("\n") + 1
    last = code[:end].count("\n") + 1
    yield Function(found[1], first, last - first + 1, _parameters(head[found.end() :]))


def _outside_angles(text: str) -> str:
    """Blanks what stands between < and >, which may hold parentheses."""
    out, depth = [], 0
    for i, c in enumerate(text):
        if c == "<" and text[i - 1 : i] != "<" and not text[:i].endswith("operator"):
            depth += 1
        out.append(" " if depth else c)
        if c == ">" and depth and text[i - 1] not in "-=":
            depth -= 1
    return "".join(out)


def _parameters(text: str) -> int:
    """How many stand before the parenthesis that closes the list."""
    depth, commas, seen = 0, 0, ""
    for i, c in enumerate(text):
        if c in "(<[{":
            depth += 1
        elif c == ")" and depth == 0:
            break
        elif c in ")]}" or (c == ">" and text[i - 1] not in "-="):
            depth -= 1
        elif c == "," and depth == 0:
            commas += 1
        seen += c
    return commas + 1 if seen.strip() not in ("", "void") else 0
