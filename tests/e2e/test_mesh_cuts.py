"""Five nodes in networks of their own: links are cut and healed, nodes killed, under load."""

from __future__ import annotations

import random
import statistics
import time

import pytest
from mesh_nodes import Meshes, Publisher, Reader, check, flowing
from networks import Link
from processes import wait_for

NAMES = "abcde"
PUBLISHERS = "ace"
FLOWING_WITHIN = 1.0  # seconds from the heal of a link
AROUND_WITHIN = 20.0  # from a cut that nobody is told of


class Five:
    """The nodes, who publishes and who reads there, and what goes wrong."""

    def __init__(self, meshes: Meshes, pairs: list[str], cable: bool) -> None:
        self.meshes = meshes
        for name in NAMES:
            meshes.add(name)
        for number, pair in enumerate(pairs):
            dialler, listener = pair if number % 2 else pair[::-1]
            meshes.join(dialler, listener, cable=cable)
        meshes.start()
        self.publishers = [Publisher(meshes.nodes[name], f"load/{name}") for name in PUBLISHERS]
        self.readers = {name: Reader(meshes.nodes[name]) for name in NAMES}
        self.flows(time.monotonic())

    def flows(self, since: float, names: str = NAMES) -> float:
        ways = [
            (publisher, self.readers[reader])
            for publisher in PUBLISHERS
            for reader in names
            if publisher != reader and publisher in names
        ]
        return flowing(since, ways)

    def across(self, pair: str, since: float) -> float:
        """Until new events cross the link of the line both ways."""
        at = NAMES.index(pair[1])
        left = [name for name in NAMES[:at] if name in PUBLISHERS][-1]
        right = next(name for name in NAMES[at:] if name in PUBLISHERS)
        return flowing(since, [(left, self.readers[pair[1]]), (right, self.readers[pair[0]])])

    def cut(self, link: Link, seconds: float) -> float:
        """When it was healed again."""
        link.cut()
        end = time.monotonic() + seconds
        wait_for("the time of the cut", lambda: time.monotonic() >= end)
        link.heal()
        return time.monotonic()

    def kill(self, name: str, seconds: float) -> float:
        node = self.meshes.nodes[name]
        node.kill()
        end = time.monotonic() + seconds
        wait_for("the time of the kill", lambda: time.monotonic() >= end)
        node.start()
        return time.monotonic()

    def end(self) -> None:
        check(self.meshes, self.publishers, list(self.readers.values()))


def say(what: str, times: list[float]) -> None:
    if not times:
        return
    print(
        f"{what}: {len(times)} times, median {statistics.median(times) * 1000:.0f} ms, "
        f"most {max(times) * 1000:.0f} ms: "
        + " ".join(f"{time * 1000:.0f}" for time in sorted(times))
    )


@pytest.fixture
def chance(pytestconfig: pytest.Config) -> random.Random:
    seed = pytestconfig.getoption("seed")
    seed = random.randrange(2**32) if seed is None else seed
    print(f"--seed {seed}")
    return random.Random(seed)


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    return pytestconfig.getoption("rounds")


@pytest.mark.parametrize("cable", [True, False], ids=["cables", "far paths"])
def test_a_line_heals(meshes: Meshes, chance: random.Random, rounds: int, cable: bool) -> None:
    """A cut halves it; whatever was published meanwhile comes over when it is healed."""
    pairs = ["ab", "bc", "cd", "de"]
    five = Five(meshes, pairs, cable)
    healed, restarted = [], []
    for _ in range(rounds):
        pair = chance.choice(pairs)
        seconds = chance.uniform(0.3, 7)
        healed.append(five.across(pair, five.cut(meshes.links[pair], seconds)))
        print(f"cut {pair} for {seconds:.1f} s: flows after {healed[-1] * 1000:.0f} ms")
        name = chance.choice(NAMES)
        restarted.append(five.flows(five.kill(name, chance.uniform(0, 1))))
        print(f"killed {name}: flows after {restarted[-1] * 1000:.0f} ms")
    say("flowing after a heal", healed)
    say("flowing after a kill and a restart", restarted)
    five.end()
    assert max(healed) < FLOWING_WITHIN


def test_a_ring_goes_round_a_cut_and_a_dead_node(
    meshes: Meshes, chance: random.Random, rounds: int
) -> None:
    """One link is silent and one node dead at a time: the others hear of each other all along."""
    pairs = ["ab", "bc", "cd", "de", "ae"]
    five = Five(meshes, pairs, cable=False)
    around, healed = [], []
    for _ in range(rounds):
        pair = chance.choice(pairs)
        link = meshes.links[pair]
        link.cut()
        around.append(five.flows(time.monotonic()))
        healed.append(five.flows(five.cut(link, chance.uniform(0, 2))))
        name = chance.choice(NAMES)
        five.meshes.nodes[name].kill()
        around.append(five.flows(time.monotonic(), NAMES.replace(name, "")))
        meshes.nodes[name].start()
        five.flows(time.monotonic())
        print(f"cut {pair}, killed {name}: flows around after {around[-2]:.2f}, {around[-1]:.2f} s")
    say("flowing around a cut or a dead node", around)
    say("flowing after a heal", healed)
    five.end()
    assert max(healed) < FLOWING_WITHIN
    assert max(around) < AROUND_WITHIN
