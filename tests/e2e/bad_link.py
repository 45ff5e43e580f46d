"""A link between two network namespaces that delays, loses, repeats, and can be cut.

    python bad_link.py A DEVICE B DEVICE --rate-kbit 50 --delay-ms 200

makes a TUN device in each namespace and carries packets between them, each way with a queue
of its own, until its standard input ends.  There it reads `cut` (both ways, without a word to
anybody) and `heal`; it answers each with a line, and begins with one.  Needs root.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import selectors
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65_536
PACKETS_A_TURN = 256


def open_tun(namespace: str, device: str) -> int:
    """Make the device here and move it: it stays the open file's."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", device, "netns", namespace], check=True)
    return tun


class Way:
    """One direction: what waits in its queue, and what is on its way."""

    def __init__(self, source: int, to: int, options: argparse.Namespace) -> None:
        self.source = source
        self.to = to
        self.delay = options.delay_ms / 1000
        self.bytes_a_second = options.rate_kbit * 125
        self.queue_bytes_max = options.queue_kb * 1024
        self.loss = options.loss / 100
        self.repeat = options.repeat / 100
        self.chance = random.Random(f"{options.seed} {source}")
        self.free_at = 0.0  # when the last queued packet has been put on the wire
        self.flying: deque[tuple[float, bytes]] = deque()  # in the order of their arrival

    def take(self, now: float, cut: bool) -> None:
        for _ in range(PACKETS_A_TURN):
            try:
                packet = os.read(self.source, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            if not cut and self.chance.random() >= self.loss:
                self.queue(packet, now)

    def queue(self, packet: bytes, now: float) -> None:
        copies = 2 if self.chance.random() < self.repeat else 1
        begins = max(now, self.free_at)
        if self.bytes_a_second:
            if (begins - now) * self.bytes_a_second > self.queue_bytes_max:
                return
            begins += len(packet) / self.bytes_a_second
            self.free_at = begins
        for _ in range(copies):
            self.flying.append((begins + self.delay, packet))

    def bring(self, now: float) -> None:
        while self.flying and self.flying[0][0] <= now:
            try:
                os.write(self.to, self.flying.popleft()[1])
            except OSError:  # the device is down, or full
                continue


def options_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for word in ("a", "device_a", "b", "device_b"):
        parser.add_argument(word)
    parser.add_argument("--rate-kbit", type=float, default=0, help="each way; 0: any")
    parser.add_argument("--queue-kb", type=float, default=64, help="the tail is dropped")
    parser.add_argument("--delay-ms", type=float, default=0, help="one way")
    parser.add_argument("--loss", type=float, default=0, help="percent of packets")
    parser.add_argument("--repeat", type=float, default=0, help="percent of packets")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


def carry(options: argparse.Namespace) -> None:
    ends = [open_tun(options.a, options.device_a), open_tun(options.b, options.device_b)]
    ways = [Way(ends[0], ends[1], options), Way(ends[1], ends[0], options)]
    cut = False
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for way in ways:
            selector.register(way.source, selectors.EVENT_READ, way)
        print("ready", flush=True)
        while True:
            first = min((way.flying[0][0] for way in ways if way.flying), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            for key, _ in selector.select(wait):
                if key.data is not None:
                    key.data.take(time.monotonic(), cut)
                    continue
                word = sys.stdin.readline().strip()
                if not word:
                    return
                cut = word == "cut"
                if cut:
                    for way in ways:
                        way.flying.clear()
                print(word, flush=True)
            for way in ways:
                way.bring(time.monotonic())


if __name__ == "__main__":
    carry(options_of(sys.argv[1:]))
