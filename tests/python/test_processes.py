"""Ctrl-C, the end of the interpreter, fork, spawn, and kill -9."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

import marram


def wait_until_asleep(pid: int) -> None:
    """Wait until the main thread of a process waits for something, and go on doing so."""
    asleep = 0
    while asleep < 5:
        with open(f"/proc/{pid}/task/{pid}/stat") as stat:
            state = stat.read().rsplit(")", 1)[1].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.01)


WAITS = {
    "loop": "for event in node.subscribe('#'): pass",
    "named loop": "for event in node.subscribe('#', name='report'): pass",
    "fetch": "node.subscribe('#').fetch(timeout=60)",
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_a_wait_at_once(run, data_dir, wait):
    program = run(
        f"""
        import sys, marram
        node = marram.Node(sys.argv[1])
        try:
            print("ready")
            {wait}
        except KeyboardInterrupt:
            print("interrupted")
            node.publish("a", "still works")
        """,
        data_dir,
    )
    assert program.line() == "ready"
    wait_until_asleep(program.process.pid)

    started = time.monotonic()
    program.process.send_signal(signal.SIGINT)

    assert program.line() == "interrupted"
    assert time.monotonic() - started < 2
    code, _, errors = program.end()
    assert (code, errors) == (0, "")


def test_a_signal_handler_may_close_the_node_and_so_end_the_loop(run, data_dir):
    program = run(
        """
        import signal, sys, marram
        node = marram.Node(sys.argv[1])
        signal.signal(signal.SIGTERM, lambda number, frame: node.close())
        events = node.subscribe("#")
        print("ready")
        for event in events: pass
        print("end")
        """,
        data_dir,
    )
    assert program.line() == "ready"

    program.process.send_signal(signal.SIGTERM)

    assert program.line() == "end"
    assert program.end()[::2] == (0, "")


def test_ctrl_c_ends_a_publish_that_waits_for_a_silent_node(run, data_dir):
    owner = run(
        """
        import sys, marram
        node = marram.Node(sys.argv[1], listen=True)
        print("ready")
        sys.stdin.read()
        """,
        data_dir,
    )
    assert owner.line() == "ready"
    publisher = run(
        """
        import sys, marram
        client = marram.connect(sys.argv[1], silent_after=60)
        print("ready")
        sys.stdin.readline()
        try:
            print("publishing")
            client.publish("a", "x", timeout=60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        data_dir,
    )
    assert publisher.line() == "ready"
    owner.process.send_signal(signal.SIGSTOP)
    try:
        assert publisher.process.stdin is not None
        publisher.process.stdin.write("go\n")
        assert publisher.line() == "publishing"
        wait_until_asleep(publisher.process.pid)
        started = time.monotonic()
        publisher.process.send_signal(signal.SIGINT)
        assert publisher.line() == "interrupted"
        assert time.monotonic() - started < 2
    finally:
        owner.process.send_signal(signal.SIGCONT)


def test_ctrl_c_loses_nothing_that_was_acknowledged(run, data_dir):
    program = run(
        """
        import sys, marram
        node = marram.Node(sys.argv[1])
        try:
            while True:
                print(node.publish("a", "x").id)
        except KeyboardInterrupt:
            print("end")
        """,
        data_dir,
    )
    acknowledged = [program.line() for _ in range(50)]
    program.process.send_signal(signal.SIGINT)
    while (line := program.line()) != "end":
        acknowledged.append(line)
    assert program.end()[0] == 0

    with marram.Node(data_dir) as node:
        stored = [event.id for event in node.fetch("#", max=len(acknowledged) + 1)]
    assert set(acknowledged) <= set(stored)
    assert len(stored) - len(acknowledged) <= 1


ENDS = {
    "an open node": "",
    "an open subscription": "events = node.subscribe('#')",
    "a loop left half way": """
node.publish_many(["1", "2", "3"], topic="a")
for event in node.subscribe("#", start="earliest"): break""",
    "a daemon thread in a loop": "start(lambda: [event for event in node.subscribe('#')])",
    "a daemon thread in fetch": "start(lambda: node.subscribe('#').fetch(timeout=3600))",
    "a daemon thread that publishes": """
def publish():
    while True: node.publish("a", "x")
start(publish)""",
    "an open event loop": """
import asyncio, marram.aio
async def main():
    client = await marram.aio.connect(sys.argv[1])
    await client.publish("a", "x")
asyncio.run(main())""",
    "a node in a cycle": "cycle = [node]; cycle.append(cycle)",
    "sys.exit in a loop": """
node.publish("a", "x")
for event in node.subscribe("#", start="earliest"): sys.exit(0)""",
}


@pytest.mark.parametrize("text", ENDS.values(), ids=ENDS)
def test_a_program_may_end_without_closing(run, data_dir, text):
    program = run(
        """
import sys, threading, time, marram
threading.excepthook = lambda arguments: None
def start(work):
    began = threading.Event()
    threading.Thread(target=lambda: (began.set(), work()), daemon=True).start()
    began.wait()
    for _ in range(20): time.sleep(0.01)  # some are in the core by now, or not yet: both must do
node = marram.Node(sys.argv[1], listen=True)
receipt = node.publish("first", "x")
"""
        + text,
        data_dir,
    )

    started = time.monotonic()
    code, _, errors = program.end(timeout=30)

    assert (code, errors) == (0, "")
    assert time.monotonic() - started < 15
    with marram.Node(data_dir) as node:
        assert node.fetch("first", max=1)


def test_a_forked_child_is_told_to_open_its_own(node):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        words = []
        with os.fdopen(writing, "w") as out:
            for call in (
                lambda: node.publish("a", "x"),
                lambda: node.publish_many(["x"], topic="a"),
                lambda: node.subscribe("#"),
                lambda: node.status(),
                lambda: node.name,
            ):
                try:
                    call()
                    words.append("worked")
                except marram.Forked as error:
                    words.append("forked" if "marram.connect" in str(error) else str(error))
            node.close()
            out.write(" ".join(words))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        words = answer.read().split()
    os.waitpid(child, 0)

    assert words == ["forked"] * 4 + words[4:]
    assert node.publish("a", "x").seq == 1


def test_a_forked_child_ends_in_good_order_and_the_parent_goes_on(run, data_dir):
    program = run(
        """
        import os, sys, warnings, marram
        node = marram.Node(sys.argv[1], listen=True)
        events = node.subscribe("#")
        child = os.fork()
        if child == 0:
            try:
                next(events)
            except marram.Forked:
                pass
            with marram.connect(sys.argv[1]) as own:
                own.publish("a", "from the child")
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert next(events).text == "from the child"
        node.close()
        print("end")
        """,
        data_dir,
    )

    assert program.line() == "end"
    assert program.end()[::2] == (0, "")


def test_spawned_processes_connect(run, data_dir, tmp_path):
    script = tmp_path / "workers.py"
    script.write_text(
        "import multiprocessing, sys, marram\n"
        "def work(where, number):\n"
        "    with marram.connect(where) as client:\n"
        "        client.publish_many([f'{number}'] * 100, topic='a')\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with marram.Node(sys.argv[1], listen=True) as node:\n"
        "        workers = [spawn.Process(target=work, args=(sys.argv[1], n)) for n in (1, 2)]\n"
        "        for worker in workers: worker.start()\n"
        "        for worker in workers: worker.join()\n"
        "        texts = [event.text for event in node.fetch('#', max=200)]\n"
        "        print(texts.count('1'), texts.count('2'))\n"
    )
    program = run("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], "
                  "run_name='__main__')", script, data_dir)  # fmt: skip

    assert program.line() == "100 100"


@pytest.mark.parametrize("turn", range(3))
def test_kill_9_loses_nothing_that_was_acknowledged(run, data_dir, turn):
    program = run(
        """
        import sys, threading, marram
        node = marram.Node(sys.argv[1])
        node.subscribe("#", name="report").close()
        lock = threading.Lock()
        def publish():
            while True:
                ids = [receipt.id for receipt in node.publish_many(["x"] * 3, topic="a")]
                with lock:
                    print(*ids, flush=True)
        for _ in range(4):
            threading.Thread(target=publish).start()
        """,
        data_dir,
    )
    acknowledged: list[str] = []
    killer = threading.Timer(0.1 + 0.15 * turn, program.process.kill)
    acknowledged += program.line().split()
    killer.start()
    assert program.process.stdout is not None
    for line in program.process.stdout:
        if line.endswith("\n"):
            acknowledged += line.split()
    program.process.wait()

    with (
        marram.Node(data_dir) as node,
        node.subscribe("#", name="report", auto_ack=True) as events,
    ):
        stored = {event.id for event in events.collect(10**6, 1)}
    assert set(acknowledged) <= stored
