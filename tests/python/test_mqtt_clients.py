"""Independent MQTT clients against a node in this process: paho-mqtt and aiomqtt."""

from __future__ import annotations

import asyncio
import queue

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import marram

VERSIONS = [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]


@pytest.fixture
def broker(data_dir):
    with marram.Node(data_dir, mqtt="mqtt://127.0.0.1:0") as node:
        yield node


def port_of(node: marram.Node) -> int:
    return int(node.mqtt_endpoints[0].rsplit(":", 1)[1])


class Device:
    """A paho client whose messages wait in a queue."""

    def __init__(self, node: marram.Node, version: MQTTProtocolVersion, name: str, **options):
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed: queue.Queue[list[paho.ReasonCode]] = queue.Queue()
        self._connected: queue.Queue[paho.ConnectFlags] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **options
        )
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.on_subscribe = lambda client, data, mid, codes, properties: (
            self._subscribed.put(codes)
        )
        self.client.on_connect = lambda client, data, flags, code, properties: self._connected.put(
            flags
        )
        self.node = node

    def connect(self, **options) -> paho.ConnectFlags:
        self.client.connect("127.0.0.1", port_of(self.node), **options)
        self.client.loop_start()
        return self._connected.get(timeout=10)

    def subscribe(self, topic: str, qos: int = 1) -> list[int]:
        self.client.subscribe(topic, qos)
        return [code.value for code in self._subscribed.get(timeout=10)]

    def publish(self, topic: str, payload: str, qos: int = 1, properties=None) -> None:
        sent = self.client.publish(topic, payload, qos, properties=properties)
        sent.wait_for_publish(timeout=10)
        assert sent.is_published()

    def texts(self, count: int) -> list[str]:
        return [self.messages.get(timeout=10).payload.decode() for _ in range(count)]

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(broker):
    devices: list[Device] = []

    def make(version: MQTTProtocolVersion, name: str, **options) -> Device:
        devices.append(Device(broker, version, name, **options))
        return devices[-1]

    yield make
    for made in devices:
        made.stop()


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5.0"])
@pytest.mark.parametrize("qos", [0, 1])
def test_paho_publishes_and_the_node_has_it(broker, device, version, qos):
    with broker.subscribe("plant/#") as events:
        meter = device(version, "meter")
        meter.connect()
        for number in range(10):
            meter.publish("plant/1", str(number), qos)

        received = events.collect(10, 10)

    assert [event.text for event in received] == [str(number) for number in range(10)]
    assert {event.client for event in received} == {"meter"}


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5.0"])
def test_paho_gets_what_the_node_publishes(broker, device, version):
    display = device(version, "display")
    display.connect()
    assert display.subscribe("plant/+/temp") == [1]

    broker.publish("plant/1/temp", "21.5")
    broker.publish("plant/1/other", "no")
    broker.publish("plant/2/temp", "22")

    assert display.texts(2) == ["21.5", "22"]


def test_headers_are_user_properties_both_ways(broker, device):
    meter = device(MQTTProtocolVersion.MQTTv5, "meter")
    meter.connect()
    meter.subscribe("back")
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("unit", "C"), ("unit", "K")]
    properties.ContentType = "text/plain"
    with broker.subscribe("out") as events:
        meter.publish("out", "x", properties=properties)
        event = next(events)
    assert event.headers == (("unit", "C"), ("unit", "K"))
    assert event.content_type == "text/plain"

    broker.publish("back", "y", headers={"a": "b"}, content_type="text/csv")

    message = meter.messages.get(timeout=10)
    assert ("a", "b") in message.properties.UserProperty
    assert message.properties.ContentType == "text/csv"


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5.0"])
def test_a_session_that_stays_gets_what_came_while_it_was_away(broker, device, version):
    options = {} if version == MQTTProtocolVersion.MQTTv5 else {"clean_session": False}
    connect = {}
    if version == MQTTProtocolVersion.MQTTv5:
        connect = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
        connect["properties"].SessionExpiryInterval = 3600
    display = device(version, "display", **options)
    assert not display.connect(**connect).session_present
    display.subscribe("plant/#")
    display.stop()

    for number in range(20):
        broker.publish("plant/1", str(number))
    again = device(version, "display", **options)

    assert again.connect(**connect).session_present
    assert again.texts(20) == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    "version", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5], ids=["3.1.1", "5.0"]
)
def test_aiomqtt_there_and_back(broker, version):
    async def talk() -> list[bytes]:
        async with aiomqtt.Client(
            "127.0.0.1", port_of(broker), protocol=version, identifier="phone"
        ) as client:
            await client.subscribe("plant/#", qos=1)
            for number in range(10):
                await client.publish("plant/1", str(number), qos=1)
            received = []
            async for message in client.messages:
                received.append(message.payload)
                if len(received) == 10:
                    return received
        raise AssertionError

    received = asyncio.run(asyncio.wait_for(talk(), 30))

    assert received == [str(number).encode() for number in range(10)]
    assert [event.client for event in broker.fetch("#", max=10)] == ["phone"] * 10


def test_the_status_counts_the_clients(broker, device):
    device(MQTTProtocolVersion.MQTTv5, "meter").connect()

    assert "mqtt" in broker.status()


def test_beyond_loopback_a_listener_wants_tls_and_users(data_dir):
    with pytest.raises(marram.Config, match="0.0.0.0"):
        marram.Node(data_dir, mqtt="mqtt://0.0.0.0:0")
