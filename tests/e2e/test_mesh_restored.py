"""A node comes back with an old copy of its database; a is that node, and the one that publishes.

What it had published since then is with its peers, or it is lost and they say so.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from mesh_nodes import Meshes, MeshNode, Position, Reader
from processes import wait_for

import marram

TOPICS = ("load/even", "load/odd")
Image = Callable[[MeshNode, Path], None]


def publish(node: MeshNode, first: int, last: int) -> None:
    """Events with these numbers."""
    now = time.monotonic()
    ids = {number: f"a-{number}" for number in range(first, last + 1)}
    with marram.connect(node.data) as client:
        client.publish_many(
            [
                marram.Event(TOPICS[number % 2], f"{id} {now}".encode(), id=id)
                for number, id in ids.items()
            ],
            timeout=60,
        )


def numbers(reader: Reader) -> list[int]:
    return [int(arrival.id.split("-")[1]) for arrival in list(reader.arrived)]


def wait_until_read(count: int, *readers: Reader) -> None:
    for reader in readers:
        what = f"{count} events at {reader.node.name}"
        wait_for(what, lambda reader=reader: len(reader.arrived) >= count)


def wait_for_cursors(node: MeshNode) -> None:
    """Until all that its consumers have settled is on its disk."""

    def owed() -> int:
        with closing(sqlite3.connect(f"file:{node.data}/marram.db?mode=ro", uri=True)) as database:
            return sum(n for (n,) in database.execute("SELECT after_cursor FROM consumers"))

    wait_for("cursors at the end", lambda: owed() == 0)


def backup_while_it_runs(node: MeshNode, to: Path) -> None:
    """As docs/store.md says."""
    shutil.copytree(node.data, to, ignore=shutil.ignore_patterns("marram.*"))
    with (
        closing(sqlite3.connect(f"file:{node.data}/marram.db?mode=ro", uri=True)) as database,
        closing(sqlite3.connect(to / "marram.db")) as image,
    ):
        database.backup(image)


def copy_of_its_folder(node: MeshNode, to: Path) -> None:
    """It runs again after that: what is lost is of a run that the image knows nothing of."""
    node.kill()
    shutil.copytree(node.data, to, ignore=shutil.ignore_patterns("*.sock"))
    node.start()


def put_back(node: MeshNode, image: Path) -> None:
    """The node is dead, and has nothing but the image."""
    shutil.rmtree(node.data)
    shutil.copytree(image, node.data)


def name_positions(named: dict[Position, str], pairs: Iterable[tuple[Position, str]]) -> None:
    for position, id in pairs:
        assert named.setdefault(position, id) == id, position


def check_positions(named: dict[Position, str], meshes: Meshes, readers: list[Reader]) -> None:
    """No position names two events, in any store and at any consumer; each log comes in order."""
    for node in meshes.nodes.values():
        name_positions(named, node.stored().items())
    for reader in readers:
        pairs = reader.read()
        name_positions(named, pairs)
        for log in {position[:3] for position, _ in pairs}:
            seqs = [position[3] for position, _ in pairs if position[:3] == log]
            assert seqs == sorted(set(seqs)), (reader.node.name, log)


def lost(reader: Reader) -> set[int]:
    """What it was told is lost; the events of the first run have the numbers of their places."""
    gaps = list(reader.gaps)
    assert {gap.reason for gap in gaps} <= {"lost"}
    return {seq for gap in gaps for seq in range(gap.first, gap.last + 1)}


@pytest.mark.parametrize("take", [backup_while_it_runs, copy_of_its_folder])
def test_a_restored_node_gets_back_what_its_peers_have(
    meshes: Meshes, tmp_path: Path, take: Image
) -> None:
    """a - b - c; a comes back alone, and publishes before it hears from anybody."""
    a, b, c = (meshes.add(name) for name in "abc")
    link = meshes.join("a", "b", cable=True)
    meshes.join("c", "b", cable=True)
    meshes.start()
    before, at_b, at_c = Reader(a), Reader(b, "#"), Reader(c)
    publish(a, 1, 100)
    wait_until_read(100, before, at_b, at_c)
    wait_for_cursors(a)
    take(a, tmp_path / "image")
    publish(a, 101, 160)
    wait_until_read(160, before, at_b, at_c)
    before.stop()
    named: dict[Position, str] = {}
    check_positions(named, meshes, [before])

    a.kill()
    link.cut()
    put_back(a, tmp_path / "image")
    a.start()
    assert len(a.stored()) == 100
    publish(a, 161, 200)
    after = Reader(a)  # the same consumer, with the cursor of the image
    wait_until_read(40, after)
    link.heal()
    wait_until_read(200, at_b, at_c)
    wait_until_read(100, after)
    late = Reader(a, name="late")
    wait_until_read(200, late)

    readers = [at_b, at_c, after, late]
    for reader in readers:
        reader.stop()
    assert numbers(at_b) == numbers(at_c) == list(range(1, 201))
    assert sorted(numbers(after)) == list(range(101, 201))
    assert sorted(numbers(late)) == list(range(1, 201))
    check_positions(named, meshes, readers)
    assert len(named) == 200
    for node in meshes.nodes.values():
        mesh = node.status()["mesh"]
        assert not mesh["gaps"], (node.name, mesh["gaps"])
        assert not mesh["holes"], (node.name, mesh["holes"])


def test_what_nobody_has_after_a_restore_is_reported(meshes: Meshes, tmp_path: Path) -> None:
    """b follows half of the topics: it has no events of the others, but knows of them.

    Of what a published while b was away nobody knows: its positions must not come again.
    """
    a, b = meshes.add("a"), meshes.add("b")
    meshes.join("a", "b", cable=True)
    meshes.start()
    before, even = Reader(a), Reader(b, "load/even")
    publish(a, 1, 20)
    wait_until_read(20, before)
    wait_for_cursors(a)
    backup_while_it_runs(a, tmp_path / "image")
    publish(a, 21, 30)
    wait_until_read(15, even)
    b.stop()
    publish(a, 31, 40)
    wait_until_read(40, before)
    before.stop()
    named: dict[Position, str] = {}
    check_positions(named, meshes, [before])

    a.kill()
    put_back(a, tmp_path / "image")
    a.start()
    b.start()
    publish(a, 41, 60)
    odd, after = Reader(b, "load/odd", name="odd"), Reader(a)
    wait_until_read(25, even)
    wait_until_read(20, odd, after)
    known = set(range(21, 30, 2))
    wait_for("gaps", lambda: lost(odd) >= known and lost(after) >= known)

    assert numbers(even) == [*range(2, 31, 2), *range(42, 61, 2)]
    assert numbers(odd) == [*range(1, 20, 2), *range(41, 60, 2)]
    assert lost(odd) == known
    assert lost(after) | set(numbers(after)) == {*range(21, 31), *range(41, 61)}
    for node in (a, b):
        assert node.status()["mesh"]["gaps"] == {"lost": len(lost(after))}, node.name
    assert "21 to 30: no whole copy has it" in a.log.read_text()
    for reader in (odd, after):
        reader.gaps.clear()
    readers = [even, odd, after]
    for reader in readers:
        reader.stop()
    check_positions(named, meshes, readers)
    assert len(named) == 60
