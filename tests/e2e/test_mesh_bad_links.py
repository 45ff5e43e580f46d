"""Two nodes over a link that is slow, or loses and repeats packets."""

from __future__ import annotations

import time

import pytest
from mesh_nodes import Meshes, MeshNode, Publisher, Reader, check, flowing
from processes import wait_for

import marram

SLOW = ("--rate-kbit", "50", "--delay-ms", "200")
BACKLOG_BYTES = 100_000_000  # more than four hours at that rate
ALARMS = 8  # in two rounds
ALARM_WITHIN = 2.0
FIRST_WITHIN = 3.0  # of a log that is new there, and has to be asked for
ALARM_STREAM = '[[stream]]\nname = "alarms"\ntopics = ["alarm/#"]\npriority = "high"\n'
LOSSY = ("--loss", "5", "--repeat", "1", "--delay-ms", "5")
LOSSY_EVENTS = 2000


def two(meshes: Meshes, options: tuple[str, ...], more: str = "") -> tuple[MeshNode, MeshNode]:
    a, b = meshes.add("a"), meshes.add("b")
    meshes.join("a", "b", *options)
    meshes.start(more)
    return a, b


@pytest.mark.parametrize("size", [5_000, 1_000_000], ids=["small events", "large events"])
def test_an_alarm_overtakes_a_backlog_on_a_slow_link(
    meshes: Meshes, pytestconfig: pytest.Config, size: int
) -> None:
    """50 kbit/s, 200 ms each way, 100 MB before it; the session does not flap."""
    a, b = two(meshes, SLOW, ALARM_STREAM)
    reader = Reader(b, "alarm/#")
    with marram.connect(a.data) as client, marram.connect(b.data) as there:
        there.subscribe("bulk/#", name="bulk")
        count = BACKLOG_BYTES // size
        client.publish_many([b"x" * size] * count, topic="bulk/x", timeout=60)
        wait_for("a busy link", lambda: link_of(a)["in_flight_bytes"] > 0)
        took = []
        for number in range(1 + ALARMS * pytestconfig.getoption("rounds") // 2):
            now = time.monotonic()
            id = f"a-{number}"
            client.publish(marram.Event("alarm/fire", f"{id} {now}".encode(), id=id))
            took.append(flowing(now, [("a", reader)]))
            end = time.monotonic() + 1
            wait_for("some of the backlog on its way", lambda end=end: time.monotonic() >= end)
    link = link_of(a)
    print(f"alarms took {' '.join(f'{seconds:.2f}' for seconds in took)} s")
    print(
        f"backlog {link['backlog']}, {link['rate_bytes_per_s']} bytes/s, {link['round_trip_s']} s"
    )
    reader.stop()

    assert link["in_flight_bytes"] > 0
    assert link["backlog"]["normal"] > count // 2
    assert took[0] < FIRST_WITHIN
    assert max(took[1:]) < ALARM_WITHIN
    for node in (a, b):
        assert node.log.read_text().count("link up") == 1, node.name


def link_of(node: MeshNode) -> dict:
    return node.status()["mesh"]["links"][0]


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
