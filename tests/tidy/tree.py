"""The files of this repository, as the tidy tests look at them."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[PurePosixPath, ...]:
    """All files that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return tuple(PurePosixPath(name) for name in listed if name and (ROOT / name).is_file())


def matching(*patterns: str) -> list[PurePosixPath]:
    """Files whose whole path matches one of the regular expressions."""
    return [path for path in files() if any(re.fullmatch(one, str(path)) for one in patterns)]


@cache
def text(path: PurePosixPath) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def is_text(path: PurePosixPath) -> bool:
    return b"\0" not in (ROOT / path).read_bytes()[:8192]


_NO_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/"  # comments
    r'|R"(?P<mark>\w*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'  # raw and plain text
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'",  # characters, but not the ' in 1'000
    re.DOTALL,
)


def blank(source: str) -> str:
    """C++ with comments and what stands in quotes blanked; lines and columns stay."""

    def blanked(match: re.Match[str]) -> str:
        return re.sub(r"[^\n\"']", " ", match[0])

    return _NO_CODE.sub(blanked, source)


def code(path: PurePosixPath) -> str:
    return blank(text(path))


def includes(path: PurePosixPath) -> list[str]:
    return re.findall(r'^#include [<"]([^>"]+)[>"]', text(path), re.MULTILINE)


def module(path: PurePosixPath) -> str:
    """The folder that is a layer: "core/base", "gateway/mqtt", "tests/base"."""
    return "/".join(path.parts[:2])


SOURCES = r"(core|gateway|bindings)/.+\.(h|cc)"
EVERY_CPP = r".+\.(h|cc)"
