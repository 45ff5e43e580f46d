"""Publishing: what is taken, what is refused, and what comes back."""

from __future__ import annotations

import array
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import marram
from marram import Event


def stored(node: marram.Node, count: int) -> list[Event]:
    return node.fetch("#", max=count, timeout=10)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[1:3], b"bc"),
        ("grün", "grün".encode()),
        ("", b""),
    ],
)
def test_a_payload_is_bytes_a_buffer_or_text(node, payload, expected):
    node.publish("a", payload)
    node.publish_many([("a", payload)])
    node.publish_many([payload], topic="a")

    assert [event.payload for event in stored(node, 3)] == [expected] * 3


def test_any_flat_buffer_is_a_payload_of_many(node):
    node.publish_many([array.array("B", [1, 2])], topic="a")

    assert stored(node, 1)[0].payload == b"\x01\x02"


def test_json_is_written_and_said_so(node):
    node.publish("a", json={"name": "Süd", "values": [1, None]})

    event = stored(node, 1)[0]
    assert event.json() == {"name": "Süd", "values": [1, None]}
    assert event.content_type == "application/json"


def test_none_is_json_too(node):
    node.publish("a", json=None)

    assert stored(node, 1)[0].payload == b"null"


def test_a_receipt_tells_where_the_event_stands(node):
    before = datetime.now(UTC)

    receipts = [node.publish("a", "1"), node.publish("a", "2", id="mine")]

    events = stored(node, 2)
    assert [receipt.id for receipt in receipts] == [event.id for event in events]
    assert [receipt.position for receipt in receipts] == [event.position for event in events]
    assert receipts[1].id == "mine"
    assert [receipt.seq for receipt in receipts] == [1, 2]
    assert abs(receipts[0].recorded - before) < timedelta(minutes=1)
    assert events[0].recorded == receipts[0].recorded


def test_all_fields_arrive_as_they_were_published(node):
    time = datetime(2026, 11, 24, 15, 0, 0, 123456, timezone(timedelta(hours=2)))

    node.publish(
        "plant/1",
        b"x",
        key="k",
        content_type="text/plain",
        headers=[("unit", "C"), ("unit", "K")],
        id="id-1",
        time=time,
        expires="1h",
    )

    event = stored(node, 1)[0]
    assert (event.topic, event.payload, event.key) == ("plant/1", b"x", "k")
    assert event.headers == (("unit", "C"), ("unit", "K"))
    assert event.header("unit") == "C"
    assert event.header("none", "-") == "-"
    assert event.time == time
    assert event.time is not None
    assert event.time.tzinfo is UTC
    assert event.expires is not None
    assert timedelta(minutes=50) < event.expires - datetime.now(UTC) <= timedelta(hours=1)
    assert event.attempt == 1


def test_a_publisher_may_wait_until_a_route_has_delivered(node):
    with node.subscribe("a", name="route:cloud") as route:
        late = node.publish("a", "1", wait="delivered:cloud", timeout=0.1)
        for event in route.collect(1, 10):
            event.ack()
        reader = threading.Thread(target=lambda: [e.ack() for e in route.collect(1, 10)])
        reader.start()
        done = node.publish("a", "2", wait="delivered:cloud", timeout=20)
        reader.join()

    assert (late.level, late.pending) == ("delivered:cloud", True)
    assert (done.level, done.pending) == ("delivered:cloud", False)
    assert node.publish("b").level == "stored"


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        ("replicated:1", marram.Unsupported),
        ("delivered:cloud", marram.NotFound),
        ("twice", marram.Invalid),
    ],
)
def test_nothing_is_published_for_a_level_that_is_not_there(node, wait, error):
    with pytest.raises(error):
        node.publish("a", wait=wait)

    assert node.status()["store"]["appended"] == 0


def test_headers_may_be_a_mapping(node):
    node.publish("a", headers={"x": "1", "y": "2"})

    assert stored(node, 1)[0].headers == (("x", "1"), ("y", "2"))


def test_a_received_event_can_be_published_again(node):
    node.publish("a", "1", id="same", headers={"x": "1"})
    event = stored(node, 1)[0]

    node.publish(event)

    first, second = stored(node, 2)
    assert (second.id, second.headers, second.time) == (first.id, first.headers, first.time)
    assert second.seq == 2


def test_many_events_keep_their_order_over_several_batches(node):
    payloads = [b"%d" % number + b"." * 4000 for number in range(1500)]

    receipts = node.publish_many(iter(payloads), topic="a")

    assert len(receipts) == 1500
    assert [receipt.seq for receipt in receipts] == list(range(1, 1501))
    assert receipts[-1].seq == 1500
    assert [receipt.seq for receipt in receipts[1:3]] == [2, 3]
    assert [event.payload for event in stored(node, 1500)] == payloads
    with pytest.raises(IndexError):
        receipts[1500]


def test_no_events_are_no_error(node):
    assert len(node.publish_many([])) == 0


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\x00", "$SYS/x", "x" * 2000])
def test_a_bad_topic_is_refused(node, topic):
    with pytest.raises(marram.Error, match="topic"):
        node.publish(topic, "x")


def test_a_payload_over_the_limit_is_refused_with_its_key(data_dir: Path):
    with (
        marram.Node(data_dir, limits={"payload_bytes_max": "1KiB"}) as node,
        pytest.raises(marram.TooLarge, match="payload_bytes_max"),
    ):
        node.publish("a", b"." * 1025)


@pytest.mark.parametrize("payload", [1, None, ["x"], {"a": 1}])
def test_what_is_no_payload_is_a_type_error_that_says_what_is(node, payload):
    with pytest.raises(TypeError, match="json="):
        node.publish("a", payload)
    with pytest.raises(TypeError, match="event 0: .*json="):
        node.publish_many([payload], topic="a")


def test_an_error_in_one_of_many_names_it_and_stores_none_of_its_batch(node):
    with pytest.raises(marram.Invalid, match="event 1:") as caught:
        node.publish_many([("a", "1"), ("b/#", "2"), ("c", "3")])

    assert isinstance(caught.value, ValueError)
    assert node.fetch("#", timeout=0.1) == []


def test_an_error_of_the_iterator_comes_through(node):
    def events():
        yield ("a", "1")
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        node.publish_many(events())


def test_a_time_without_a_zone_is_refused(node):
    with pytest.raises(marram.Invalid, match="time zone"):
        node.publish("a", time=datetime(2026, 1, 1))
    with pytest.raises(marram.Invalid, match="time zone"):
        node.publish_many([Event("a", time=datetime(2026, 1, 1))])


def test_an_unknown_option_is_a_type_error(node):
    with pytest.raises(TypeError, match="ke"):
        node.publish("a", "x", ke="y")


def test_text_that_is_no_unicode_is_refused(node):
    with pytest.raises(UnicodeEncodeError):
        node.publish("a/\ud800", "x")


def test_a_closed_node_says_so(node):
    node.close()
    node.close()

    with pytest.raises(marram.Closed, match="open a new one"):
        node.publish("a", "x")
    with pytest.raises(marram.Closed):
        node.status()


def test_many_threads_publish_at_once(node):
    def publish(number: int) -> None:
        for turn in range(50):
            node.publish(f"thread/{number}", str(turn))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = stored(node, 400)
    for number in range(8):
        mine = [event.text for event in events if event.topic == f"thread/{number}"]
        assert mine == [str(turn) for turn in range(50)]


def test_a_full_store_refuses_and_says_which(data_dir: Path):
    with marram.Node(data_dir, max_bytes="4MiB") as node:
        node.subscribe("#", name="holds-everything", start="earliest").close()
        with pytest.raises(marram.Full) as caught:
            for _ in range(100):
                node.publish_many([b"." * 10_000] * 100, topic="a")

        assert caught.value.code == "full"
        for index, error in caught.value.failures:
            assert 0 <= index < 100
            assert isinstance(error, marram.Full)


def test_the_status_names_the_node_and_its_consumers(node):
    node.subscribe("#", name="report").close()
    node.publish("a", "x")

    assert node.status()["node"]["name"] == "test"
    (consumer,) = node.consumers()
    assert (consumer.name, consumer.filters, consumer.attached) == ("report", ("#",), False)
    assert consumer.backlog == 1

    node.remove_consumer("report")
    assert node.consumers() == []
    with pytest.raises(marram.NotFound):
        node.remove_consumer("report")


def test_streams_and_options_are_checked(data_dir: Path):
    for options in (
        {"durability": "tape"},
        {"max_bytes": "1 elephant"},
        {"limits": {"payload_bytes": 1}},
        {"streams": [marram.Stream(name="a/b")]},
        {"streams": [marram.Stream(name="a", topics=["#/x"])]},
        {"streams": [marram.Stream(name="a", topics=["x"], priority="highest")]},
        {"log": "loud"},
    ):
        with pytest.raises(marram.Invalid):
            marram.Node(data_dir, **options)


def test_events_go_to_the_stream_of_their_topic(data_dir: Path):
    alarms = marram.Stream(name="alarms", topics=["+/alarm/#"], durability="os", retain_age="7d")
    with marram.Node(data_dir, streams=[alarms]) as node:
        plain, alarm = node.publish("a/x", "1"), node.publish("a/alarm/x", "2")

    assert plain.log != alarm.log
    assert (plain.seq, alarm.seq) == (1, 1)


def test_a_data_directory_has_one_owner(node, data_dir):
    with pytest.raises(marram.Busy):
        marram.Node(data_dir)
