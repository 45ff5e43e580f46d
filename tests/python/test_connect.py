"""A running node, reached from another program."""

from __future__ import annotations

import threading

import pytest

import marram


@pytest.fixture
def served(data_dir):
    with marram.Node(data_dir, name="served", listen=[f"ipc://{data_dir}/marram.sock",
                                                      "tcp://127.0.0.1:0"]) as node:  # fmt: skip
        yield node


def test_a_client_is_reached_by_directory_socket_or_endpoint(served, data_dir):
    tcp = next(endpoint for endpoint in served.endpoints if endpoint.startswith("tcp"))
    assert not tcp.endswith(":0")
    for where in (data_dir, str(data_dir), data_dir / "marram.sock", tcp):
        with marram.connect(where) as client:
            assert (client.name, client.id) == (served.name, served.id)


def test_a_client_has_the_same_methods(served, data_dir):
    with marram.connect(data_dir, name="tool") as client:
        with client.subscribe("#", name="report") as events:
            receipt = client.publish("a", "1", headers={"k": "v"})
            receipts = client.publish_many(["2", "3"], topic="a")
            seen = [next(events) for _ in range(3)]
            assert [event.text for event in seen] == ["1", "2", "3"]
            assert [event.seq for event in seen] == [receipt.seq, *(one.seq for one in receipts)]
            assert seen[0].headers == (("k", "v"),)
            seen[0].ack()
            seen[1].nack()
            assert next(events).attempt == 2
        with client.subscribe("#", name="report") as events:
            assert next(events).text == "2"
        assert [event.text for event in client.fetch("#", max=3)] == ["1", "2", "3"]
        assert [consumer.name for consumer in client.consumers()] == ["report"]
        client.remove_consumer("report")
        assert client.status()["node"]["name"] == "served"
        with pytest.raises(marram.Invalid, match="topic"):
            client.publish("a/#", "x")


def test_what_a_client_publishes_names_it(served, data_dir):
    with marram.connect(data_dir, name="tool") as client:
        client.publish("a", "1")

    assert served.fetch("#", max=1)[0].client == "tool"


def test_nobody_there_is_an_error_that_says_where(tmp_path):
    with pytest.raises((marram.Unreachable, marram.TimedOut), match="nobody-here"):
        marram.connect(tmp_path / "nobody-here", timeout=0.5)


def test_an_address_that_is_none_is_refused():
    with pytest.raises(marram.Error):
        marram.connect("smoke://signals", timeout=0.5)


def test_two_programs_talk_through_a_third(run, served, data_dir):
    consumer = run(
        """
        import sys, marram
        with marram.connect(sys.argv[1]) as client:
            with client.subscribe("plant/#", name="report") as events:
                print("ready")
                for event in events:
                    print(event.topic, event.text)
                    event.ack()
                    if event.text == "end":
                        break
        """,
        data_dir,
    )
    assert consumer.line() == "ready"
    publisher = run(
        """
        import sys, marram
        with marram.connect(sys.argv[1]) as client:
            for number in range(3):
                client.publish(f"plant/{number}", str(number))
            client.publish("plant/x", "end")
        """,
        data_dir,
    )

    assert publisher.end()[::2] == (0, "")
    assert [consumer.line() for _ in range(4)] == [
        "plant/0 0", "plant/1 1", "plant/2 2", "plant/x end",
    ]  # fmt: skip
    assert consumer.end()[::2] == (0, "")


def test_a_client_outlives_a_restart_of_its_node(data_dir):
    node = marram.Node(data_dir, listen=True)
    with marram.connect(data_dir) as client:
        events = client.subscribe("#", name="report")
        client.publish("a", "1")
        next(events).ack()
        node.close()

        answer: list[marram.Receipt] = []
        publisher = threading.Thread(target=lambda: answer.append(client.publish("a", "2")))
        publisher.start()
        with marram.Node(data_dir, listen=True):
            publisher.join(30)
            assert answer
            texts = [next(events).text]
            assert texts[-1] in ("1", "2")
            if texts[-1] == "1":
                texts.append(next(events).text)
            assert texts[-1] == "2"
            events.close()
