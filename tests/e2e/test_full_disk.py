"""A disk that is really full: a tmpfs of a few MiB under the node, MQTT clients on top."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from mqtt_clients import new_client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from processes import Node, Site, free_port, wait_for

QUOTA_EXCEEDED = 0x97


class Publisher:
    """One message after the other, each with an id; keeps what became of each."""

    def __init__(self, name: str, port: int, protocol: int) -> None:
        self.name = name
        self.is_v5 = protocol == mqtt.MQTTv5
        self.answers: dict[str, int] = {}  # id to reason code
        self.names: dict[int, str] = {}  # packet id to id
        self.sent = 0
        self.client = new_client(name, protocol)
        self.client.on_publish = self._on_publish
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_for("the session", self.client.is_connected)

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: Any, _props: Any) -> None:
        wait_for("the packet id", lambda: mid in self.names)
        self.answers[self.names[mid]] = code.value

    def publish(self, size: int) -> str:
        self.sent += 1
        name = f"{self.name}-{self.sent}"
        properties = None
        if self.is_v5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = ("id", name)
        payload = name.encode().ljust(size, b".")
        self.names[self.client.publish("plant/x", payload, 1, properties=properties).mid] = name
        return name

    def ask(self, size: int) -> int:
        """Publish and wait for the reason code."""
        name = self.publish(size)
        wait_for(f"the answer to {name}", lambda: name in self.answers)
        return self.answers[name]

    def accepted(self) -> set[str]:
        return {name for name, code in list(self.answers.items()) if code < 0x80}

    def close(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()


@pytest.fixture
def disk(site: Site) -> Iterator[Path]:
    """The node's data folder, as a disk of its own with 24 MiB, 8 of them taken."""
    folder = site.folder / "data"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], check=False
    )
    if done.returncode != 0:
        pytest.skip("this user may not mount a tmpfs")
    (folder / "filler").write_bytes(bytes(8 << 20))
    yield folder
    site.close()
    subprocess.run(["umount", folder], check=True)


def stored(node: Node, count: int) -> set[str]:
    done = node.run("sub", "plant/#", "--from", "earliest", "-n", str(count), "--json")
    assert done.returncode == 0, done.stderr
    payloads = [json.loads(line)["payload"] for line in done.stdout.splitlines()]
    return {payload.rstrip(".") for payload in payloads}


def test_publishers_are_told_and_nothing_accepted_is_lost(site: Site, disk: Path) -> None:
    # What a route owes to a broker that is away is no history that makes room.
    away = f"mqtt://127.0.0.1:{free_port()}"
    node = site.node(f'[[route]]\nname = "cloud"\nfrom = ["plant/#"]\nto = "{away}"\n')
    node.start()
    device = Publisher("v5", node.port, mqtt.MQTTv5)
    older_device = Publisher("v311", node.port, mqtt.MQTTv311)

    while device.ask(60_000) != QUOTA_EXCEEDED:
        assert device.sent < 1000, "a disk of 24 MiB takes no 60 MB"
    held = older_device.publish(60_000)
    for _ in range(20):
        assert device.ask(60_000) == QUOTA_EXCEEDED
    assert node.status()["store"]["full"] is True
    assert held not in older_device.answers

    (disk / "filler").unlink()

    wait_for("the message that was held back", lambda: held in older_device.accepted())
    assert device.ask(60_000) == 0
    assert node.status()["store"]["full"] is False
    node.kill()
    node.start()
    accepted = device.accepted() | older_device.accepted()
    assert accepted <= stored(node, len(accepted))
    device.close()
    older_device.close()
