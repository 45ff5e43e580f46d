"""A program that publishes to a running node.

marram run &
python examples/publisher.py marram-data 100
"""

from __future__ import annotations

import argparse
import random

import marram


def main() -> None:
    """Publish readings; print what is stored."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("node", nargs="?", default="marram-data", help="its data directory")
    arguments.add_argument("count", nargs="?", type=int, default=10)
    given = arguments.parse_args()

    with marram.connect(given.node, name="publisher.py") as node:
        for number in range(given.count):
            receipt = node.publish(
                f"plant/{number % 3}/temp",
                json={"number": number, "celsius": round(random.gauss(21, 2), 1)},
                expires="7d",
            )
            # publish() has returned: the event is on the node's disk.
            print(f"stored {receipt.id} as number {receipt.seq}")


if __name__ == "__main__":
    main()
