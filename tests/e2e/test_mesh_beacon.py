"""Three nodes on one bridge that know no address of each other."""

from __future__ import annotations

import time

from mesh_nodes import Meshes, Publisher, Reader, check, flowing
from processes import wait_for

NAMES = "abc"


def test_nodes_of_a_lan_find_each_other_and_a_dead_one_again(meshes: Meshes) -> None:
    """Without seeds; what was published meanwhile comes when the dead one is back."""
    for name in NAMES:
        meshes.add(name)
    meshes.network.lan([node.namespace for node in meshes.nodes.values()])
    for node in meshes.nodes.values():
        node.mesh_more = "beacon = true"
    meshes.start()
    publisher = Publisher(meshes.nodes["a"], "load/a")
    readers = {name: Reader(meshes.nodes[name]) for name in "bc"}
    flowing(time.monotonic(), [("a", reader) for reader in readers.values()])

    meshes.nodes["b"].kill()
    flowing(time.monotonic(), [("a", readers["c"])])
    meshes.nodes["b"].start()
    back = flowing(time.monotonic(), [("a", readers["b"])])
    print(f"flowing after a restart: {back:.2f} s")

    for name, node in meshes.nodes.items():
        heard = wait_for(
            f"whom {name} hears",
            lambda node=node: len(node.status()["mesh"]["beacon"]["heard"]) == len(NAMES) - 1,
        )
        assert heard
    check(meshes, [publisher], list(readers.values()))
