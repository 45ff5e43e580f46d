"""Nodes that meet: what one publishes the other reads."""

from __future__ import annotations

from pathlib import Path

import pytest

import marram
from marram import Mesh


def meet(tmp_path: Path, name: str, *peers: str, carry: str = "") -> marram.Node:
    """Open a node that is reached at a socket of its name."""
    mesh = Mesh(
        listen=f"ipc://{tmp_path}/{name}.sock",
        peers=[f"ipc://{tmp_path}/{peer}.sock" for peer in peers],
        key_file="",
        carry=[carry] if carry else [],
    )
    return marram.Node(tmp_path / name, name=name, durability="os", mesh=mesh)


def test_what_one_node_publishes_another_reads(tmp_path):
    with meet(tmp_path, "a") as a, meet(tmp_path, "b", "a") as b:
        with b.subscribe("plant/#") as events:
            a.publish_many([(f"plant/{number}", str(number)) for number in range(100)])

            got = events.collect(100, 20)

        assert [event.text for event in got] == [str(number) for number in range(100)]
        assert a.mesh_endpoints == [f"ipc://{tmp_path}/a.sock"]
        assert b.status()["mesh"]["id"] == b.id


def test_a_publisher_may_wait_for_a_replica(tmp_path):
    with meet(tmp_path, "a") as a, meet(tmp_path, "b", "a", carry="*"):
        one = a.publish("x", wait="replicated:1", timeout=20)
        two = a.publish("x", wait="replicated:2", timeout=0.1)

    assert (one.level, one.pending) == ("replicated:1", False)
    assert (two.level, two.pending) == ("replicated:2", True)


def test_beyond_loopback_keys_are_needed(tmp_path):
    with pytest.raises(marram.Config):
        marram.Node(tmp_path, mesh=Mesh(listen="tcp://0.0.0.0:0", key_file=""))
