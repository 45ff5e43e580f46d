"""Python's publish_many against Python's own sqlite3 with the same grouping.

Both write 256-byte payloads, one synced commit a batch (WAL, synchronous=FULL), one batch at a
time.  Prints Markdown.  Needs the installed package: pip install .
"""

import pathlib
import sqlite3
import statistics
import tempfile
import time

import marram

PAYLOAD = b"x" * 256
EVENTS = {1: 2_000, 10: 20_000, 100: 100_000, 1_000: 400_000}


def raw(folder: pathlib.Path, size: int, count: int) -> float:
    db = sqlite3.connect(folder / "raw.db", isolation_level=None)
    db.executescript(
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE events (position INTEGER PRIMARY KEY, recorded INTEGER,"
        " topic TEXT, id BLOB, payload BLOB)"
    )
    start = time.perf_counter()
    for first in range(0, count, size):
        rows = [
            (first + i, first, "bench/python", b"0123456789abcdef", PAYLOAD) for i in range(size)
        ]
        db.execute("BEGIN")
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    took = time.perf_counter() - start
    db.close()
    return count / took


def ours(folder: pathlib.Path, size: int, count: int) -> float:
    with marram.Node(data_dir=folder / "marram") as node:
        start = time.perf_counter()
        for _ in range(0, count, size):
            node.publish_many([("bench/python", PAYLOAD)] * size)
        return count / (time.perf_counter() - start)


def main() -> None:
    print(
        "| events a batch | raw sqlite3 /s | publish_many /s | ratio |\n| --- | --- | --- | --- |"
    )
    for size, count in EVENTS.items():
        rates = []
        for turn in range(3):
            for measure in (raw, ours) if turn % 2 == 0 else (ours, raw):
                with tempfile.TemporaryDirectory() as folder:
                    rates.append((measure.__name__, measure(pathlib.Path(folder), size, count)))
        peer = statistics.median(r for name, r in rates if name == "raw")
        mine = statistics.median(r for name, r in rates if name == "ours")
        print(f"| {size} | {peer:,.0f} | {mine:,.0f} | {mine / peer:.2f} |", flush=True)


if __name__ == "__main__":
    main()
