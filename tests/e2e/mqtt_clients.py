"""MQTT clients of paho-mqtt from PyPI: devices that publish, a collector that listens."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from processes import wait_for

WINDOW = 20  # messages that a device has unacknowledged


def new_client(client_id: str, protocol: int = mqtt.MQTTv5) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
    client.reconnect_delay_set(1, 1)
    return client


class Device:
    """Publishes numbered messages, and sends what is unacknowledged again after a loss.

    Each message has an id of its own, so that a message that is sent again is known.
    """

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.client = new_client(name)
        self.client.on_publish = self._on_publish
        self.count = 0
        self.sent = 0
        self.acknowledged = 0
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, count: int) -> None:
        """Numbers 1 to `count`; returns before they are acknowledged."""
        self.count = count
        self.publish_next()

    def _on_publish(self, _client: Any, _data: Any, _mid: int, code: Any, _props: Any) -> None:
        """On the client's own thread, which publishes all but the first."""
        assert not code.is_failure, code
        self.acknowledged += 1
        # paho's own window does not hold after a reconnect: it then sends all it has.
        while self.sent < min(self.count, self.acknowledged + WINDOW):
            self.publish_next()

    def publish_next(self) -> None:
        self.sent += 1
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = ("id", f"{self.name}-{self.sent}")
        self.client.publish(f"plant/{self.name}", str(self.sent), 1, properties=properties)

    def close(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()


class Collector:
    """Keeps what arrives at the outside broker, in a session that survives both."""

    def __init__(self, port: int, topics: str = "plant/#") -> None:
        self.topics = topics
        self.arrived: list[tuple[str, int, str]] = []  # device, number, id
        self.subscribed = threading.Event()
        self.client = new_client("collector")
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self.client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self.client.loop_start()
        wait_for("the collector's subscription", self.subscribed.is_set)

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self.topics, 1)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = dict(getattr(message.properties, "UserProperty", []))
        device = message.topic.rsplit("/", 1)[1]
        self.arrived.append((device, int(message.payload), properties.get("id", "")))

    def ids(self) -> Counter[str]:
        return Counter(entry[2] for entry in list(self.arrived))

    def first_arrivals(self, device: str) -> list[int]:
        """The numbers of a device, in the order in which each came for the first time."""
        numbers = [entry[1] for entry in list(self.arrived) if entry[0] == device]
        return list(dict.fromkeys(numbers))

    def close(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()
