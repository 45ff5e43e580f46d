"""The same as `marram`, for asyncio.

Publishing and reading wait on descriptors of the core; what opens, closes or asks
goes through a thread for a moment.

Examples
--------
>>> import asyncio, marram.aio
>>> async def main():
...     async with marram.aio.Node("data", durability="memory") as node:
...         async with node.subscribe("plant/#") as events:
...             await node.publish("plant/1/temp", "21.5")
...             async for event in events:
...                 return event.text
>>> asyncio.run(main())
'21.5'
"""

from marram.aio.bus import Bus
from marram.aio.node import Client, Node, connect
from marram.aio.subscription import Subscription

__all__ = ["Bus", "Client", "Node", "Subscription", "connect"]
