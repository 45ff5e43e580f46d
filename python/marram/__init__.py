"""Marram: an event mesh for the edge.

What a node has accepted is on disk, and it stays until it is delivered or a limit
you set says otherwise, and then you are told.

Examples
--------
>>> import marram
>>> with marram.Node("data", durability="memory") as node:
...     receipt = node.publish("plant/1/temp", json={"celsius": 21.5})
...     for event in node.fetch("plant/#", max=1):
...         print(event.topic, event.json())
plant/1/temp {'celsius': 21.5}
"""

from marram._core import __version__
from marram.bus import Bus
from marram.errors import (
    Busy,
    Closed,
    Config,
    Corrupt,
    Error,
    Exists,
    Forked,
    Full,
    GapWarning,
    Invalid,
    Io,
    NotFound,
    Overloaded,
    Protocol,
    Refused,
    TimedOut,
    TooLarge,
    Unreachable,
    Unsupported,
    Version,
)
from marram.events import Consumer, Event, Gap, Position, Receipt, Receipts
from marram.node import Client, Node, connect
from marram.options import Mesh, Mqtt, Stream
from marram.subscription import Subscription

__all__ = [
    "Bus",
    "Busy",
    "Client",
    "Closed",
    "Config",
    "Consumer",
    "Corrupt",
    "Error",
    "Event",
    "Exists",
    "Forked",
    "Full",
    "Gap",
    "GapWarning",
    "Invalid",
    "Io",
    "Mesh",
    "Mqtt",
    "Node",
    "NotFound",
    "Overloaded",
    "Position",
    "Protocol",
    "Receipt",
    "Receipts",
    "Refused",
    "Stream",
    "Subscription",
    "TimedOut",
    "TooLarge",
    "Unreachable",
    "Unsupported",
    "Version",
    "__version__",
    "connect",
]
