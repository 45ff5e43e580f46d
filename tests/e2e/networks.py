"""Network namespaces and the links between them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

BAD_LINK = Path(__file__).with_name("bad_link.py")


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def why_not() -> str:
    """Why there are no namespaces and links here; empty: there are."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"marram-{os.getpid()}-probe"
    tries = (
        ["ip", "netns", "add", name],
        ["ip", "-n", name, "tuntap", "add", "dev", "probe0", "mode", "tun"],
        ["ip", "-n", name, "link", "add", "probe1", "type", "veth", "peer", "name", "probe2"],
    )
    try:
        for words in tries:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"{' '.join(words)}: {done.stderr.strip()}"
    except FileNotFoundError:
        return "iproute2 is not installed"
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


class Network:
    """Namespaces by name, and links; all of it is gone after close()."""

    serial = itertools.count(1)

    def __init__(self) -> None:
        self.prefix = f"marram-{os.getpid()}-{next(self.serial)}-"
        self.namespaces: list[str] = []
        self.links: list[Link] = []

    def add(self, name: str) -> str:
        namespace = self.prefix + name
        ip("netns", "add", namespace)
        self.namespaces.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def cable(self, a: str, b: str) -> Cable:
        return self._keep(Cable(a, b, len(self.links)))

    def far_path(self, a: str, b: str, *options: str) -> FarPath:
        return self._keep(FarPath(a, b, len(self.links), options))

    def lan(self, namespaces: list[str]) -> None:
        """A switch, in the network of the first of them, with all of them at it."""
        first, device = namespaces[0], f"mr{os.getpid()}lan"
        ip("-n", first, "link", "add", device, "type", "bridge")
        ip("-n", first, "address", "add", "10.98.0.1/24", "dev", device)
        ip("-n", first, "link", "set", device, "up")
        for number, namespace in enumerate(namespaces[1:], 2):
            near, far = f"mr{os.getpid()}n{number}", f"mr{os.getpid()}f{number}"
            ip("-n", first, "link", "add", near, "type", "veth", "peer", "name", far)
            ip("-n", first, "link", "set", far, "netns", namespace)
            ip("-n", first, "link", "set", near, "master", device)
            ip("-n", namespace, "address", "add", f"10.98.0.{number}/24", "dev", far)
            ip("-n", first, "link", "set", near, "up")
            ip("-n", namespace, "link", "set", far, "up")

    def _keep(self, link):
        self.links.append(link)
        return link

    def close(self) -> None:
        for link in self.links:
            link.close()
        for namespace in self.namespaces:
            ip("netns", "del", namespace)


class Link:
    """Two ends, each with an address."""

    def __init__(self, a: str, b: str, number: int) -> None:
        self.a, self.b = a, b
        self.device_a, self.device_b = f"mr{os.getpid()}a{number}", f"mr{os.getpid()}b{number}"
        self.address_a, self.address_b = f"10.97.{number}.1", f"10.97.{number}.2"

    def set_up(self) -> None:
        ends = (
            (self.a, self.device_a, self.address_a, self.address_b),
            (self.b, self.device_b, self.address_b, self.address_a),
        )
        for namespace, device, own, other in ends:
            ip("-n", namespace, "address", "add", own, "peer", other, "dev", device)
            ip("-n", namespace, "link", "set", device, "up")

    def cut(self) -> None:
        raise NotImplementedError

    def heal(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        return


class Cable(Link):
    """A veth pair: the near end notices when it is pulled out, the far one has no carrier."""

    def __init__(self, a: str, b: str, number: int) -> None:
        super().__init__(a, b, number)
        ip("-n", a, "link", "add", self.device_a, "type", "veth", "peer", "name", self.device_b)
        ip("-n", a, "link", "set", self.device_b, "netns", b)
        self.set_up()

    def cut(self) -> None:
        ip("-n", self.a, "link", "set", self.device_a, "down")

    def heal(self) -> None:
        ip("-n", self.a, "link", "set", self.device_a, "up")


class FarPath(Link):
    """Something far away loses packets; both ends stay up and hear nothing of it."""

    def __init__(self, a: str, b: str, number: int, options: tuple[str, ...]) -> None:
        super().__init__(a, b, number)
        command = [sys.executable, BAD_LINK, a, self.device_a, b, self.device_b, *options]
        self.carrier = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._expect("ready")
        self.set_up()

    def _expect(self, word: str) -> None:
        assert self.carrier.stdout is not None
        assert self.carrier.stdout.readline().strip() == word

    def _say(self, word: str) -> None:
        assert self.carrier.stdin is not None
        self.carrier.stdin.write(word + "\n")
        self._expect(word)

    def cut(self) -> None:
        self._say("cut")

    def heal(self) -> None:
        self._say("heal")

    def close(self) -> None:
        assert self.carrier.stdin is not None
        self.carrier.stdin.close()
        self.carrier.wait(10)
        assert self.carrier.stdout is not None
        self.carrier.stdout.close()
