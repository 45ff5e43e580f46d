"""Real processes for end-to-end tests: a node, a mosquitto.

Everything listens on a free loopback port, lives in a temporary folder, and is stopped by
its process id.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def wait_for(what: str, condition: Callable[[], Any], timeout: float = 60) -> Any:
    """Look again until `condition` is true; its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.01)
    return value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program that is started, stopped and killed, perhaps more than once."""

    def __init__(self, command: list[str | Path], port: int, log: Path) -> None:
        self.command = [str(word) for word in command]
        self.port = port
        self.log = log
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_for(f"the start of {self.command[0]}", lambda: self.exited() or self.is_ready())
        assert not self.exited(), self.log.read_text()

    def is_ready(self) -> bool:
        return accepts(self.port)

    def exited(self) -> bool:
        return self.running is None or self.running.poll() is not None

    def end(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.running is not None
        self.running.send_signal(number)
        code = self.running.wait(40)
        self.running = None
        return code

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        return self.end(signal.SIGTERM)


class Mosquitto(Process):
    """The outside broker.  What its persistent sessions are owed survives stop()."""

    def __init__(self, folder: Path, more: str = "") -> None:
        port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text(
            f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
            f"max_queued_messages 0\npersistence true\npersistence_location {folder}/\n{more}"
        )
        super().__init__(["/usr/sbin/mosquitto", "-c", config], port, folder / "mosquitto.log")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


class Node(Process):
    """`marram run` with an MQTT listener and what else the configuration says."""

    def __init__(self, program: Path, folder: Path, more: str = "") -> None:
        self.program = program
        self.config = folder / "marram.toml"
        port = free_port()
        self.config.write_text(
            f'[node]\nname = "gw"\ndata_dir = "{folder}/data"\n\n'
            f'[mqtt]\nlisten = ["mqtt://127.0.0.1:{port}"]\n\n{more}'
        )
        super().__init__([program, "run", "-c", self.config], port, folder / "marram.log")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the program, about this node."""
        command = [str(self.program), *arguments, "-c", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def route(self, name: str = "cloud") -> dict[str, Any]:
        return next(route for route in self.status()["routes"] if route["name"] == name)

    def backlog(self, route: str = "cloud") -> int:
        named = {entry["name"]: entry for entry in self.status()["consumers"]}
        return named[f"route:{route}"]["backlog"]


class Site:
    """A folder, and the processes that a test starts in it."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.started: list[Process] = []

    def mosquitto(self, more: str = "") -> Mosquitto:
        return self.keep(Mosquitto(self.folder, more))

    def node(self, more: str = "") -> Node:
        return self.keep(Node(self.program, self.folder, more))

    def keep(self, process: Any) -> Any:
        self.started.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self.started):
            if not process.exited():
                process.kill()
