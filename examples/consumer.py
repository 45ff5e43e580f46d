"""A program that reads from a running node and goes on where it was, also after a crash.

marram run &
python examples/consumer.py marram-data
"""

from __future__ import annotations

import argparse
import contextlib

import marram


def main() -> None:
    """Print readings until Ctrl-C, or until there were enough."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("node", nargs="?", default="marram-data", help="its data directory")
    arguments.add_argument("--name", default="consumer.py", help="what it is known by")
    arguments.add_argument("--count", type=int, default=0, help="stop after so many; 0: never")
    given = arguments.parse_args()

    with (
        marram.connect(given.node) as node,
        node.subscribe("plant/+/temp", name=given.name) as events,
    ):
        for number, event in enumerate(events, 1):
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            print(f"{event.topic} {event.json()['celsius']} C{again}", flush=True)
            event.ack()  # what is not acknowledged comes again
            if number == given.count:
                break


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
