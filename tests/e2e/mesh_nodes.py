"""Nodes of a mesh in network namespaces, who publishes at them, and who reads.

Clients talk to their node through its socket in the file system, which no cut reaches.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from networks import Link, Network
from processes import Node, wait_for

import marram

PORT_IN_NAMESPACE = 7400  # each node has a network of its own
EVENTS_A_BATCH = 4
Position = tuple[str, str, str, int]  # origin, epoch, stream, seq


def stored_in(data: Path) -> dict[Position, str]:
    """The id at each position of a store."""
    database = sqlite3.connect(f"file:{data}/marram.db?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT origin, epoch, stream, seq, id FROM events")
        return {(origin, epoch, stream, seq): id for origin, epoch, stream, seq, id in rows}
    finally:
        database.close()


def logs_in(data: Path) -> dict[int, tuple[str, str, str]]:
    """Origin, epoch and stream of each log of a store, by the number it has there."""
    database = sqlite3.connect(f"file:{data}/marram.db?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT no, origin, epoch, stream FROM logs")
        return {no: (origin, epoch, stream) for no, origin, epoch, stream in rows}
    finally:
        database.close()


class MeshNode(Node):
    """`marram run` in a namespace of its own."""

    def __init__(self, program: Path, folder: Path, name: str, namespace: str) -> None:
        folder.mkdir()
        super().__init__(program, folder)
        self.name = name
        self.folder = folder
        self.namespace = namespace
        self.command = ["ip", "netns", "exec", namespace, *self.command]
        self.kills = 0
        self.peers: list[str] = []
        self.mesh_more = ""  # of [mesh]
        self.configure([])
        self.key = self.run("key", "new").stdout.strip()

    def configure(self, trust: list[str], more: str = "") -> None:
        """The configuration anew; as peers those that were added."""
        listen = f"tcp://0.0.0.0:{PORT_IN_NAMESPACE}"
        self.config.write_text(
            f'[node]\nname = "{self.name}"\ndata_dir = "{self.data}"\n\n'
            f"[mesh]\nlisten = {[listen]}\npeers = {self.peers}\ntrust = {trust}\n"
            f"{self.mesh_more}\n\n"
            f'[log]\nlevel = "debug"\n\n[mqtt]\nlisten = []\n\n{more}'
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def is_ready(self) -> bool:
        return self.log.read_text().count('"ready"') > self.starts_before

    def start(self) -> None:
        self.starts_before = self.log.read_text().count('"ready"') if self.log.exists() else 0
        super().start()

    def kill(self) -> None:
        self.kills += 1
        super().kill()

    def links(self) -> set[str]:
        return {link["name"] for link in self.status()["mesh"]["links"]}

    def stored(self) -> dict[Position, str]:
        return stored_in(self.data)


class Meshes:
    """A network with nodes in it."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.network = Network()
        self.nodes: dict[str, MeshNode] = {}
        self.links: dict[str, Link] = {}

    def add(self, name: str) -> MeshNode:
        namespace = self.network.add(name)
        self.nodes[name] = MeshNode(self.program, self.folder / name, name, namespace)
        return self.nodes[name]

    def join(self, dialler: str, listener: str, *options: str, cable: bool = False) -> Link:
        """A link; its name has both nodes', in the order of the alphabet."""
        a, b = self.nodes[dialler], self.nodes[listener]
        if cable:
            link: Link = self.network.cable(a.namespace, b.namespace)
        else:
            link = self.network.far_path(a.namespace, b.namespace, *options)
        a.peers.append(f"tcp://{link.address_b}:{PORT_IN_NAMESPACE}")
        self.links["".join(sorted((dialler, listener)))] = link
        return link

    def start(self, more: str = "") -> None:
        """All of them trust each other; returns when all links are up."""
        keys = [node.key for node in self.nodes.values()]
        for node in self.nodes.values():
            node.configure(keys, more)
            node.start()
        for pair in self.links:
            wait_for(f"link {pair}", lambda pair=pair: pair[1] in self.nodes[pair[0]].links())

    def close(self) -> None:
        for node in self.nodes.values():
            if not node.exited():
                node.kill()
        self.network.close()


class Sent(NamedTuple):
    id: str
    at: float  # when it was given to the node, as time.monotonic() has it


class Publisher:
    """Publishes at a node until it is stopped, through kills of the node."""

    def __init__(self, node: MeshNode, topic: str, pause: float = 0.02) -> None:
        self.node = node
        self.topic = topic
        self.pause = pause
        self.acknowledged: list[Sent] = []
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self.client = marram.connect(node.data, name=f"publisher-{node.name}")
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        number = 0
        try:
            while not self.over.wait(self.pause):
                now = time.monotonic()
                batch = []
                for _ in range(EVENTS_A_BATCH):
                    number += 1
                    id = f"{self.node.name}-{number}"
                    batch.append(marram.Event(self.topic, f"{id} {now}".encode(), id=id))
                self.client.publish_many(batch, timeout=60)
                self.acknowledged += [Sent(event.id, now) for event in batch]
        except BaseException as failure:
            self.failure = failure

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
        self.client.close()
        assert self.failure is None, f"publisher at {self.node.name}: {self.failure!r}"


class Arrival(NamedTuple):
    id: str
    sent: float
    at: float
    log: int  # as its node numbers them
    seq: int


class Reader:
    """A durable consumer at a node, through kills of the node."""

    def __init__(self, node: MeshNode, topic: str = "load/#", name: str = "reader") -> None:
        self.node = node
        self.arrived: list[Arrival] = []
        self.gaps: list[marram.Gap] = []
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self.client = marram.connect(node.data, name=f"{name}-{node.name}")
        self.events = self.client.subscribe(topic, name=name, on_gap=self.gaps.append)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                events = self.events.fetch(max=1000, timeout=0.1)
                now = time.monotonic()
                for event in events:
                    id, sent = event.text.split(" ")[:2]
                    self.arrived.append(Arrival(id, float(sent), now, *event.position))
                self.events.ack(*events)
        except BaseException as failure:
            self.failure = failure

    def ids(self) -> Counter[str]:
        return Counter(arrival.id for arrival in list(self.arrived))

    def read(self) -> list[tuple[Position, str]]:
        """The positions of what came, with the ids."""
        logs = logs_in(self.node.data)
        arrived = list(self.arrived)
        return [((*logs[arrival.log], arrival.seq), arrival.id) for arrival in arrived]

    def first_after(self, since: float, publisher: str) -> float | None:
        """When the first event came that was published there after `since`."""
        times = [
            arrival.at
            for arrival in list(self.arrived)
            if arrival.sent >= since and arrival.id.startswith(publisher + "-")
        ]
        return min(times, default=None)

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
        self.client.close()
        assert self.failure is None, f"reader at {self.node.name}: {self.failure!r}"
        assert not self.gaps, f"reader at {self.node.name}: {self.gaps}"


def check(meshes: Meshes, publishers: list[Publisher], readers: list[Reader]) -> None:
    """Stop all; nothing is lost, nothing is there twice, no position names two events."""
    for publisher in publishers:
        publisher.stop()
    sent = {sent.id for publisher in publishers for sent in publisher.acknowledged}
    for reader in readers:
        wait_for(
            f"all of {len(sent)} at {reader.node.name}",
            lambda reader=reader: len(reader.ids()) >= len(sent),
        )
    for reader in readers:
        reader.stop()
        assert set(reader.ids()) == sent, reader.node.name
    named: dict[Position, str] = {}
    killed = {name for name, node in meshes.nodes.items() if node.kills}
    for node in meshes.nodes.values():
        stored = node.stored()
        for position, id in stored.items():
            assert named.setdefault(position, id) == id, (node.name, position)
        check_repeats(node, stored, killed)
        if node.name in {reader.node.name for reader in readers}:
            assert set(stored.values()) == sent, node.name
        mesh = node.status()["mesh"]
        assert not mesh["gaps"], (node.name, mesh["gaps"])
        assert not mesh["holes"], (node.name, mesh["holes"])


def check_repeats(node: MeshNode, stored: dict[Position, str], killed: set[str]) -> None:
    """An id is there twice only where its publisher sent it again to a node that was killed."""
    epochs: dict[str, list[str]] = {}
    for (_, epoch, _, _), id in stored.items():
        epochs.setdefault(id, []).append(epoch)
    for id, runs in epochs.items():
        if len(runs) > 1:
            assert id.split("-")[0] in killed, (node.name, id)
            assert len(set(runs)) == len(runs), (node.name, id, runs)


def flowing(since: float, ways: list[tuple[str, Reader]], timeout: float = 60) -> float:
    """Seconds from `since` until what was published later has come each of the ways."""

    def all_came() -> Callable[[], list[float]] | list[float] | None:
        times = [reader.first_after(since, publisher) for publisher, reader in ways]
        return [at - since for at in times if at is not None] if None not in times else None

    return max(wait_for("new events", all_came, timeout))
