"""Nodes that meet: what one publishes the other reads."""

from __future__ import annotations

import time
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


def links_of(node: marram.Node, *names: str) -> dict[str, str]:
    """Return name and address of its links, when they are those or after a while."""
    deadline = time.monotonic() + 20
    while True:
        links = {link["name"]: link["address"] for link in node.status()["mesh"]["links"]}
        if set(links) == set(names) or time.monotonic() > deadline:
            return links
        time.sleep(0.02)


def test_others_dial_a_node_where_it_says_so(tmp_path):
    at_a, other_way, at_b = (f"ipc://{tmp_path}/{name}.sock" for name in ("a", "way", "b"))
    (tmp_path / "way.sock").symlink_to(tmp_path / "a.sock")
    told = Mesh(listen=at_a, key_file="", advertise=other_way)
    between = Mesh(listen=at_b, peers=at_a, key_file="")
    with (
        marram.Node(tmp_path / "a", name="a", mesh=told),
        marram.Node(tmp_path / "b", name="b", mesh=between) as b,
    ):
        assert links_of(b, "a") == {"a": at_a}
        with marram.Node(tmp_path / "c", name="c", mesh=Mesh(peers=at_b, key_file="")) as c:
            assert links_of(c, "b") == {"b": at_b}
            b.close()  # c knows of a from b alone

            assert links_of(c, "a") == {"a": other_way}


@pytest.mark.parametrize("advertise", [["tcp://a:1"] * 9, "nowhere"])
def test_an_address_that_cannot_be_told_is_refused(tmp_path, advertise):
    mesh = Mesh(listen=f"ipc://{tmp_path}/a.sock", key_file="", advertise=advertise)

    with pytest.raises(marram.Config, match="advertise"):
        marram.Node(tmp_path, mesh=mesh)


@pytest.mark.parametrize("peer", ["127.0.0.1:7400", "tcp://hub:99999"])
def test_a_peer_without_an_address_is_refused(tmp_path, peer):
    with pytest.raises(marram.Invalid, match="peers"):
        marram.Node(tmp_path, mesh=Mesh(peers=peer, key_file=""))


def test_beyond_loopback_keys_are_needed(tmp_path):
    with pytest.raises(marram.Config):
        marram.Node(tmp_path, mesh=Mesh(listen="tcp://0.0.0.0:0", key_file=""))
