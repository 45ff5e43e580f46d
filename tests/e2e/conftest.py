"""Options and fixtures.

The program is $MARRAM_PROGRAM, else build/marram, else build-dev/marram.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mesh_nodes import Meshes
from networks import why_not
from processes import Site

ROOT = Path(__file__).parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=2, help="how often each drill is run")
    parser.addoption("--seed", type=int, default=None, help="of the moments of the kills")


@pytest.fixture(scope="session")
def program() -> Path:
    built = (ROOT / "build/marram", ROOT / "build-dev/marram")
    for path in (os.environ.get("MARRAM_PROGRAM"), *built):
        if path and Path(path).exists():
            return Path(path)
    pytest.fail("no program to test: ./dev build")


@pytest.fixture
def new_site(program: Path, tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Make sites: each call ends the one before."""
    sites: list[Site] = []

    def make() -> Site:
        for old in sites:
            old.close()
            shutil.rmtree(old.folder, ignore_errors=True)
        folder = tmp_path / f"site-{len(sites)}"
        folder.mkdir()
        sites.append(Site(program, folder))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    return new_site()


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Needed by tests whose nodes are in networks of their own."""
    if why := why_not():
        pytest.skip(why)


@pytest.fixture
def meshes(namespaces: None, program: Path, tmp_path: Path) -> Iterator[Meshes]:
    made = Meshes(program, tmp_path)
    yield made
    made.close()
