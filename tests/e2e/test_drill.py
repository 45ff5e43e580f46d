"""The drill: the broker is away, the node is killed, both come back, and everything arrives."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from mqtt_clients import WINDOW, Collector, Device
from processes import Site, wait_for

EVENTS = 5000
IN_FLIGHT = 100  # the route's default


def route_to(url: str) -> str:
    return f'[[route]]\nname = "cloud"\nfrom = ["plant/#"]\nto = "{url}"\n'


def drill(site: Site, devices: int, chance: random.Random) -> None:
    """One round with two kills of the node: while devices publish, and while it drains."""
    broker = site.mosquitto()
    broker.start()
    collector = Collector(broker.port)
    broker.stop()
    node = site.node(route_to(broker.url))
    node.start()
    senders = [Device(f"device-{i}", node.port) for i in range(devices)]
    try:
        each = EVENTS // devices
        for sender in senders:
            sender.publish(each)

        def acknowledged() -> int:
            return sum(sender.acknowledged for sender in senders)

        first_kill = chance.randrange(1, EVENTS)
        wait_for("acknowledgements", lambda: acknowledged() >= first_kill)
        node.kill()
        node.start()
        wait_for("all acknowledgements", lambda: acknowledged() == EVENTS, 120)
        stored = node.backlog()
        # What the kill left unacknowledged, the devices have sent again.
        assert EVENTS <= stored <= EVENTS + WINDOW * devices

        broker.start()
        second_kill = chance.randrange(1, EVENTS)
        wait_for("arrivals", lambda: len(collector.ids()) >= second_kill, 120)
        node.kill()
        node.start()
        wait_for("every id", lambda: len(collector.ids()) == EVENTS, 120)
        wait_for("an empty queue", lambda: node.backlog() == 0, 120)
        wait_for("all that was stored", lambda: len(collector.arrived) >= stored)

        where = f"kills at {first_kill} and {second_kill}"
        check(collector, senders, each, where)
        repeats = len(collector.arrived) - stored
        assert 0 <= repeats <= IN_FLIGHT, where
        print(f"{where}: {EVENTS} ids, {repeats} sent again by the route")
    finally:
        for sender in senders:
            sender.close()
        collector.close()


def check(collector: Collector, senders: list[Device], each: int, where: str) -> None:
    expected = {f"{s.name}-{number}" for s in senders for number in range(1, each + 1)}
    ids = collector.ids()
    assert set(ids) == expected, where
    for sender in senders:
        assert collector.first_arrivals(sender.name) == list(range(1, each + 1)), where


@pytest.mark.parametrize("devices", [1, 10])
def test_what_was_acknowledged_arrives(
    new_site: Callable[[], Site], devices: int, pytestconfig: pytest.Config
) -> None:
    seed = pytestconfig.getoption("seed")
    seed = random.randrange(2**32) if seed is None else seed
    print(f"--seed {seed}")
    chance = random.Random(seed)
    for _ in range(pytestconfig.getoption("rounds")):
        drill(new_site(), devices, chance)


def test_the_broker_is_killed_while_it_takes_events(site: Site) -> None:
    """What the route had no PUBACK for goes again; the queue ends up empty."""
    broker = site.mosquitto()
    broker.start()
    node = site.node(route_to(broker.url))
    node.start()
    sender = Device("device-0", node.port)
    sender.publish(EVENTS)
    wait_for("some events to leave", lambda: node.route()["acked"] > 200)
    broker.kill()
    wait_for("the route to notice", lambda: node.route()["state"] == "connecting")
    wait_for("all acknowledgements", lambda: sender.acknowledged == EVENTS)
    broker.start()
    wait_for("an empty queue", lambda: node.backlog() == 0)

    route = wait_for("the count", lambda: (r := node.route())["acked"] == EVENTS and r)
    assert route["sent"] <= EVENTS + IN_FLIGHT
    sender.close()


def test_routes_end_with_their_node(site: Site) -> None:
    broker = site.mosquitto()
    broker.start()
    node = site.node(route_to(broker.url))
    node.start()
    wait_for("the route", lambda: node.route()["state"] == "connected")
    connector = node.route()["pid"]
    assert is_running(connector)

    node.kill()
    wait_for("the connector's end", lambda: not is_running(connector))

    node.start()
    wait_for("the route", lambda: node.route()["state"] == "connected")
    connector = node.route()["pid"]
    assert node.stop() == 0
    assert not is_running(connector)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
