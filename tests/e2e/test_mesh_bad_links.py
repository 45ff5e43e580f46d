"""Two nodes over a link that loses and repeats packets."""

from __future__ import annotations

from mesh_nodes import Meshes, MeshNode, Publisher, Reader, check
from processes import wait_for

LOSSY = ("--loss", "5", "--repeat", "1", "--delay-ms", "5")
LOSSY_EVENTS = 2000


def two(meshes: Meshes, options: tuple[str, ...], more: str = "") -> tuple[MeshNode, MeshNode]:
    a, b = meshes.add("a"), meshes.add("b")
    meshes.join("a", "b", *options)
    meshes.start(more)
    return a, b


def test_nothing_is_lost_or_twice_where_packets_are(meshes: Meshes) -> None:
    """5 % lost, 1 % twice."""
    a, b = two(meshes, LOSSY)
    readers = [Reader(node) for node in (a, b)]
    publishers = [Publisher(node, f"load/{node.name}") for node in (a, b)]
    wait_for(
        "events at both",
        lambda: all(len(reader.arrived) >= LOSSY_EVENTS for reader in readers),
    )
    check(meshes, publishers, readers)
