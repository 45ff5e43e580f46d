"""Reading: loops, batches, acks, and what ends them."""

from __future__ import annotations

import threading
import time

import pytest

import marram


def texts(events):
    return [event.text for event in events]


def take(subscription, count):
    return [next(subscription) for _ in range(count)]


def test_a_loop_gets_events_as_they_come(node):
    with node.subscribe(["a/+", "b/#"]) as events:
        node.publish_many([("a/1", "1"), ("c", "no"), ("b", "2"), ("a/1/x", "no"), ("b/x/y", "3")])

        assert texts(take(events, 3)) == ["1", "2", "3"]


def test_a_reader_without_a_name_starts_with_what_is_new(node):
    node.publish("a", "old")
    with node.subscribe("#") as events:
        node.publish("a", "new")

        assert next(events).text == "new"


@pytest.mark.parametrize(
    ("start", "expected"), [("earliest", "1"), (2, "2"), ("-1h", "1"), ("new", "4"), (None, "1")]
)
def test_a_named_reader_starts_where_it_is_told(node, start, expected):
    node.publish_many(["1", "2", "3"], topic="a")

    with node.subscribe("#", name="report", start=start) as events:
        node.publish("a", "4")

        assert next(events).text == expected


def test_a_reader_may_start_at_a_time(node):
    node.publish("a", "1")
    second = node.publish("a", "2")

    assert texts(node.fetch("#", start=second.recorded, max=1)) == ["2"]


@pytest.mark.parametrize("start", ["yesterday", 0, -5, 1.5])
def test_a_bad_start_is_refused(node, start):
    with pytest.raises((marram.Invalid, TypeError)):
        node.subscribe("#", start=start)


@pytest.mark.parametrize("filters", ["", "a/#/b", "a+", [], ["a", "b#"]])
def test_a_bad_filter_is_refused(node, filters):
    with pytest.raises(marram.Invalid):
        node.subscribe(filters)


def test_an_empty_fetch_is_an_empty_list(node):
    with node.subscribe("#") as events:
        assert events.fetch(timeout=0) == []
        assert events.fetch(timeout="50ms") == []
    assert node.fetch("#", timeout=0.05) == []


def test_a_fetch_of_no_events_is_refused(node):
    node.publish("a", "1")
    with node.subscribe("#", start="earliest") as events:
        with pytest.raises(marram.Invalid, match="max is 0"):
            events.fetch(max=0)

        assert events.fetch(max=1)[0].text == "1"


def test_a_fetch_returns_what_is_there(node):
    with node.subscribe("#") as events:
        node.publish_many(["1", "2", "3"], topic="a")

        assert texts(events.fetch(max=2, timeout=10)) == ["1", "2"]
        assert texts(events.fetch(max=2, timeout=10)) == ["3"]


def test_a_named_reader_goes_on_behind_what_was_settled(node):
    node.publish_many(["1", "2", "3"], topic="a")
    with node.subscribe("#", name="report") as events:
        first, second, _ = take(events, 3)
        first.ack()
        events.ack(second)

    with node.subscribe("#", name="report") as events:
        assert next(events).text == "3"


def test_a_named_reader_goes_on_after_a_restart_of_the_node(data_dir):
    with marram.Node(data_dir) as node:
        node.publish_many(["1", "2", "3"], topic="a")
        with node.subscribe("#", name="report") as events:
            next(events).ack()

    with marram.Node(data_dir) as node:
        node.publish("a", "4")
        with node.subscribe("#", name="report") as events:
            assert texts(take(events, 3)) == ["2", "3", "4"]


def test_what_is_asked_for_again_comes_again_and_says_so(node):
    node.publish("a", "1")
    with node.subscribe("#", name="report") as events:
        first = next(events)
        first.nack()
        second = next(events)

        assert (first.attempt, second.attempt) == (1, 2)
        assert second.id == first.id
        second.nack(delay="20ms")
        assert next(events).attempt == 3


def test_what_is_not_settled_in_time_comes_again(node):
    node.publish("a", "1")
    with node.subscribe("#", name="report", ack_wait="100ms") as events:
        assert [next(events).attempt, next(events).attempt] == [1, 2]


def test_no_more_than_the_window_is_handed_out(node):
    node.publish_many(["1", "2", "3"], topic="a")
    with node.subscribe("#", name="report", in_flight_max=2) as events:
        first, second = take(events, 2)
        assert events.fetch(timeout=0.1) == []

        first.ack()
        second.ack()

        assert next(events).text == "3"
    with pytest.raises(marram.Invalid, match="in_flight_max"):
        node.subscribe("#", in_flight_max=0)


def test_auto_ack_settles_an_event_when_the_loop_comes_back(node):
    node.publish_many(["1", "2", "3"], topic="a")
    with pytest.raises(LookupError), node.subscribe("#", name="r", auto_ack=True) as events:
        for event in events:
            if event.text == "2":
                raise LookupError

    with node.subscribe("#", name="r", auto_ack=True) as events:
        assert next(events).text == "2"
    with node.subscribe("#", name="r") as events:
        assert next(events).text == "3"


def test_auto_ack_settles_what_was_fetched_at_the_next_fetch(node):
    node.publish_many([str(number) for number in range(1000)], topic="a")
    with node.subscribe("#", name="r", auto_ack=True) as events:
        seen = events.fetch(600, timeout=10)
        while len(seen) < 1000:
            seen += events.fetch(600, timeout=10)

    assert texts(seen) == [str(number) for number in range(1000)]
    assert node.fetch("#", name="r", timeout=0.1) == []


def test_a_fetch_by_name_can_be_settled_and_repeated(node):
    node.publish_many(["1", "2", "3"], topic="a")

    for expected in (["1", "2"], ["3"], []):
        events = node.fetch("#", name="report", max=2, timeout=0.2)
        assert texts(events) == expected
        for event in events:
            event.ack()
    node.close()


def test_publishing_from_within_a_loop_works(node):
    node.publish("n", "0")
    with node.subscribe("n", start="earliest") as events:
        for event in events:
            number = int(event.text)
            if number == 200:
                break
            node.publish("n", str(number + 1))

    assert number == 200


def test_a_name_has_one_reader_unless_another_takes_over(node):
    first = node.subscribe("#", name="report")

    with pytest.raises(marram.Busy):
        node.subscribe("#", name="report")

    with node.subscribe("#", name="report", take_over=True), pytest.raises(marram.Error) as caught:
        first.fetch(timeout=10)
    assert not isinstance(caught.value, marram.TimedOut)


def test_closing_a_subscription_ends_the_loop_of_another_thread(node):
    events = node.subscribe("#")
    seen = []

    def read():
        for event in events:
            seen.append(event.text)

    reader = threading.Thread(target=read)
    reader.start()
    node.publish("a", "1")
    while not seen:
        time.sleep(0.01)

    events.close()
    reader.join(10)

    assert not reader.is_alive()
    assert seen == ["1"]
    with pytest.raises(marram.Closed):
        events.fetch(timeout=1)


def test_closing_the_node_ends_loops(node):
    readers = [node.subscribe("#"), node.subscribe("#", name="report")]
    threads = [threading.Thread(target=list, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()

    node.close()

    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_several_threads_share_a_subscription(node):
    seen: list[list[str]] = [[], [], []]
    with node.subscribe("#") as events:

        def read(mine: list[str]) -> None:
            for event in events:
                if event.text == "end":
                    return
                mine.append(event.text)

        threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        node.publish_many([str(number) for number in range(2000)], topic="a")
        node.publish_many(["end"] * 3, topic="a")
        for thread in threads:
            thread.join(30)

    assert sorted(sum(seen, []), key=int) == [str(number) for number in range(2000)]


def test_a_dropped_subscription_frees_its_name(node):
    events = node.subscribe("#", name="report")
    del events

    node.subscribe("#", name="report").close()


def test_a_node_that_was_not_closed_is_named(data_dir):
    node = marram.Node(data_dir, name="left")

    with pytest.warns(ResourceWarning, match="left"):
        del node


def test_nodes_and_subscriptions_stay_in_their_process(node):
    import pickle

    with pytest.raises(TypeError, match=r"marram\.connect"):
        pickle.dumps(node)
    with node.subscribe("#") as events, pytest.raises(TypeError, match="subscribe there"):
        pickle.dumps(events)


def test_a_reader_is_told_what_is_gone(data_dir):
    stream = marram.Stream(name="events", on_full="drop-oldest")
    gaps: list[marram.Gap] = []
    limits = {"tail_bytes_max": "64KiB"}  # so that readers depend on the disk
    with marram.Node(data_dir, streams=[stream], max_bytes="4MiB", limits=limits) as node:
        node.subscribe("#", name="slow").close()
        for _ in range(20):
            node.publish_many([b"." * 10_000] * 50, topic="a")

        with node.subscribe("#", name="slow", on_gap=gaps.append) as events:
            first = next(events)

        assert gaps
        assert (gaps[0].first, gaps[-1].last) == (1, first.seq - 1)
        assert gaps[0].reason == "drop_oldest"

        # Nobody reads meanwhile: what has been handed out already is not missing.
        for _ in range(20):
            node.publish_many([b"." * 10_000] * 50, topic="a")
        with node.subscribe("#", name="slow") as events, pytest.warns(marram.GapWarning):
            next(events)
