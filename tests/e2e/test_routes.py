"""Routes of a running program, in and out, with independent clients on both ends."""

from __future__ import annotations

import subprocess

import pytest
from mqtt_clients import Collector, Device
from processes import Site, wait_for

BOTH = """
[[route]]
name = "cloud"
from = ["plant/#"]
to = "{url}"
topic = "acme/{{node}}/{{topic}}"

[[route]]
name = "commands"
direction = "in"
from = ["acme/gw/#"]
to = "{url}"
topic = "plant/{{rest}}"
"""


def publish(port: int, topic: str, payload: str, *more: str) -> None:
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1"]
    subprocess.run([*command, "-t", topic, "-m", payload, *more], check=True, timeout=30)


def test_an_event_does_not_run_in_circles(site: Site) -> None:
    """Out and in routes that feed each other: each event goes out once, and comes in never."""
    broker = site.mosquitto()
    broker.start()
    collector = Collector(broker.port, "acme/#")
    node = site.node(BOTH.format(url=broker.url))
    node.start()
    for name in ("cloud", "commands"):
        wait_for(name, lambda name=name: node.route(name)["state"] == "connected")

    device = Device("device-0", node.port)
    device.publish(10)
    wait_for("the events outside", lambda: len(collector.ids()) == 10)
    wait_for("the loops to end", lambda: node.route("commands")["looped"] == 10)

    assert sum(collector.ids().values()) == 10
    assert node.route("commands")["taken"] == 0
    device.close()
    collector.close()


def test_a_command_from_outside_reaches_a_device(site: Site) -> None:
    broker = site.mosquitto()
    broker.start()
    node = site.node(
        f'[[route]]\nname = "commands"\ndirection = "in"\nfrom = ["acme/gw/cmd/#"]\n'
        f'to = "{broker.url}"\ntopic = "cmd/{{rest}}"\n'
    )
    node.start()
    device = Collector(node.port, "cmd/#")
    wait_for("the route", lambda: node.route("commands")["state"] == "connected")

    def arrives() -> bool:  # the route may not have subscribed yet
        publish(broker.port, "acme/gw/cmd/valve", "1", "-V", "5")
        return bool(device.arrived)

    wait_for("the command", arrives)
    assert device.arrived[0][:2] == ("valve", 1)
    device.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_pauses_the_route_and_keeps_the_queue(site: Site, protocol: str) -> None:
    users = site.folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "gw", "right"], check=True)
    broker = site.mosquitto(f"allow_anonymous false\npassword_file {users}\n")
    broker.start()
    secret = site.folder / "password"
    secret.write_text("s3cr3t-but-bad")
    secret.chmod(0o600)
    node = site.node(
        f'[[route]]\nname = "cloud"\nfrom = ["plant/#"]\nto = "{broker.url}"\n'
        f'protocol = "{protocol}"\nuser = "gw"\npassword = {{ file = "{secret}" }}\n'
    )
    node.start()
    publish(node.port, "plant/x", "1")
    wait_for("the pause", lambda: node.route()["state"] == "paused")
    assert node.backlog() == 1
    assert "s3cr3t" not in node.log.read_text()

    node.stop()
    secret.write_text("right")
    node.start()

    wait_for("an empty queue", lambda: node.backlog() == 0)
