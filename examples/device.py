"""A device: any MQTT client will do, here paho-mqtt (pip install paho-mqtt).

marram run &
python examples/device.py 127.0.0.1 1883
"""

from __future__ import annotations

import argparse
import json
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def main() -> None:
    """Publish readings with QoS 1; each is acknowledged when it is on the node's disk."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("host", nargs="?", default="127.0.0.1")
    arguments.add_argument("port", nargs="?", type=int, default=1883)
    arguments.add_argument("--count", type=int, default=10)
    arguments.add_argument("--every", type=float, default=0.1, help="seconds")
    given = arguments.parse_args()

    device = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="meter-7", protocol=mqtt.MQTTv5)
    device.connect(given.host, given.port)
    device.loop_start()
    for number in range(given.count):
        reading = json.dumps({"number": number, "kwh": 1000 + number})
        sent = device.publish("plant/7/meter", reading, qos=1)
        sent.wait_for_publish(timeout=10)
        print(f"acknowledged {reading}")
        time.sleep(given.every)
    device.disconnect()
    device.loop_stop()


if __name__ == "__main__":
    main()
