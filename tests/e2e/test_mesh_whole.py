"""Devices, three nodes, a broker outside, a program that reads: cut, killed, away, under load.

devices --MQTT--> a --relay of the test--> b <-- c --route--> mosquitto
                                                 +----------> a consumer in Python
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mesh_nodes import Position, stored_in
from mqtt_clients import WINDOW, Collector, Device
from processes import Mosquitto, Node, Site, free_port, wait_for
from tcp_relay import TcpRelay

import marram

DEVICES = 3
PAUSE = 0.005  # between the readings of a device
BACKLOG = 300  # that each outage leaves


class Member(Node):
    """`marram run` on loopback, with a key."""

    def __init__(self, program: Path, folder: Path, name: str) -> None:
        folder.mkdir()
        super().__init__(program, folder)
        self.name = name
        self.data = folder / "data"
        self.mesh_port = free_port()
        self.mqtt = f'"mqtt://127.0.0.1:{self.port}"'
        self.configure([], [])
        self.key = self.run("key", "new").stdout.strip()

    def configure(self, peers: list[int], trust: list[Member], more: str = "") -> None:
        addresses = [f"tcp://127.0.0.1:{port}" for port in peers]
        self.config.write_text(
            f'[node]\nname = "{self.name}"\ndata_dir = "{self.data}"\n\n'
            f"[mqtt]\nlisten = [{self.mqtt}]\n\n[mesh]\n"
            f"peers = {addresses}\n"
            f"trust = {[member.key for member in trust]}\n\n{more}"
        )

    def owed(self) -> int:
        """What is kept for peers."""
        return max((hold["owed"] for hold in self.status()["mesh"]["holds"]), default=0)

    def links(self) -> set[str]:
        return {link["name"] for link in self.status()["mesh"]["links"]}


class Load:
    """Devices that publish at a node until they are stopped."""

    def __init__(self, port: int) -> None:
        self.devices = [Device(f"device-{number}", port) for number in range(DEVICES)]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.over.wait(PAUSE):
            for device in self.devices:
                if device.sent < device.acknowledged + WINDOW:
                    device.publish_next()

    def sent(self) -> int:
        return sum(device.sent for device in self.devices)

    def acknowledged(self) -> int:
        return sum(device.acknowledged for device in self.devices)

    def ids(self) -> set[str]:
        return {f"{device.name}-{n}" for device in self.devices for n in range(1, device.sent + 1)}

    def stop(self) -> None:
        self.over.set()
        self.thread.join()

    def close(self) -> None:
        self.stop()
        for device in self.devices:
            device.close()


class Consumer:
    """A durable consumer: what came, in its order."""

    def __init__(self, node: Member) -> None:
        self.arrived: list[str] = []
        self.gaps: list[marram.Gap] = []
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self.client = marram.connect(node.data, name="report")
        self.events = self.client.subscribe("plant/#", name="report", on_gap=self.gaps.append)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                events = self.events.fetch(max=1000, timeout=0.1)
                self.arrived += [event.id for event in events]
                self.events.ack(*events)
        except BaseException as failure:
            self.failure = failure

    def of(self, device: Device) -> list[int]:
        names = (id.rsplit("-", 1) for id in self.arrived)
        return [int(number) for name, number in names if name == device.name]

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.client.close()


class Whole:
    """All of it, and what goes wrong with it."""

    def __init__(self, site: Site) -> None:
        self.a, self.b, self.c = (
            site.keep(Member(site.program, site.folder / name, name)) for name in "abc"
        )
        self.broker: Mosquitto = site.mosquitto()
        self.broker.start()
        self.collector = Collector(self.broker.port)
        self.relay = TcpRelay(self.b.mesh_port)
        # Only b listens, and calls the relay its address: nobody goes past the relay.
        self.a.configure([self.relay.port], [self.b])
        self.b.configure(
            [],
            [self.a, self.c],
            f'listen = ["tcp://127.0.0.1:{self.b.mesh_port}"]\n'
            f'advertise = ["tcp://127.0.0.1:{self.relay.port}"]\n',
        )
        self.c.configure(
            [self.b.mesh_port],
            [self.b],
            f'[[route]]\nname = "cloud"\nfrom = ["plant/#"]\nto = "{self.broker.url}"\n',
        )
        for node in (self.a, self.b, self.c):
            node.start()
        self.consumer = Consumer(self.c)
        wait_for("the links of b", lambda: self.b.links() == {"a", "c"})
        self.load = Load(self.a.port)

    def catches_up(self) -> None:
        """Until what was sent by now is with the consumer, and new events come."""
        sent = self.load.sent()
        wait_for("events at the consumer", lambda: len(self.consumer.arrived) > sent)

    def catches_up_outside(self) -> None:
        sent = self.load.sent()
        wait_for("events outside", lambda: len(self.collector.ids()) > sent)

    def half_of_the_backlog_comes(self) -> None:
        enough = len(self.consumer.arrived) + BACKLOG // 2
        wait_for("half of the backlog", lambda: len(self.consumer.arrived) >= enough)

    def held_for_b(self) -> None:
        wait_for("events held at a", lambda: self.a.owed() >= BACKLOG)

    def owed_to_the_route(self) -> None:
        wait_for("a backlog of the route", lambda: self.c.backlog() >= BACKLOG)

    def kill_b(self) -> None:
        self.b.kill()
        self.held_for_b()
        self.b.start()

    def close(self) -> None:
        self.load.close()
        self.consumer.close()
        self.collector.close()
        self.relay.close()


@pytest.fixture
def whole(site: Site) -> Iterator[Whole]:
    made = Whole(site)
    yield made
    made.close()


def test_what_devices_sent_is_with_both_after_all_outages(whole: Whole) -> None:
    began = time.monotonic()
    whole.catches_up_outside()

    whole.relay.cut()
    whole.held_for_b()
    whole.relay.heal()
    whole.half_of_the_backlog_comes()
    whole.kill_b()  # while a's backlog comes over it
    whole.catches_up()

    whole.broker.stop()
    whole.owed_to_the_route()
    whole.relay.silence()
    whole.held_for_b()
    whole.kill_b()
    whole.relay.heal()
    whole.catches_up()

    whole.broker.start()
    whole.relay.cut()  # while the route drains
    whole.held_for_b()
    whole.relay.heal()
    whole.catches_up_outside()

    whole.load.stop()
    check(whole)
    print(f"{whole.load.sent()} events in {time.monotonic() - began:.1f} s")


def check(whole: Whole) -> None:
    """Sent = stored = delivered; at least once outside, once at the consumer; in order."""
    load, consumer, collector = whole.load, whole.consumer, whole.collector
    sent = load.ids()
    wait_for("all acknowledgements", lambda: load.acknowledged() == len(sent))
    wait_for("all at the consumer", lambda: len(consumer.arrived) >= len(sent))
    wait_for("all outside", lambda: len(collector.ids()) >= len(sent))
    wait_for("a route that owes nothing", lambda: whole.c.backlog() == 0)

    assert consumer.failure is None, consumer.failure
    assert not consumer.gaps
    assert set(collector.ids()) == sent
    for device in load.devices:
        numbers = list(range(1, device.sent + 1))
        assert consumer.of(device) == numbers
        assert collector.first_arrivals(device.name) == numbers
    named: dict[Position, str] = {}
    for node in (whole.a, whole.b, whole.c):
        stored = stored_in(node.data)
        assert sorted(stored.values()) == sorted(sent), node.name
        for position, id in stored.items():
            assert named.setdefault(position, id) == id, (node.name, position)
        mesh = node.status()["mesh"]
        assert not mesh["gaps"], (node.name, mesh["gaps"])
        assert not mesh["holes"], (node.name, mesh["holes"])
