"""Events as values, and that nothing changes on their way."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import marram
from marram import Event

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
levels = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/+#$"))
times = st.datetimes(
    datetime(1971, 1, 1),
    datetime(9000, 1, 1),
    timezones=st.just(UTC),
)
events = st.builds(
    Event,
    topic=st.lists(levels, min_size=1, max_size=5).map("/".join).filter(bool),
    payload=st.binary(max_size=300),
    key=texts,
    content_type=texts,
    headers=st.lists(st.tuples(texts, texts), max_size=4).map(tuple),
    id=texts.filter(bool),
    time=times,
    expires=st.just(datetime(9999, 1, 1, tzinfo=UTC)) | st.none(),
)


def published(event: Event) -> Event:
    """Drop what the node adds."""
    return dataclasses.replace(event, client="", recorded=None, log=0, seq=0, attempt=1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events, min_size=1, max_size=20))
def test_events_come_back_as_they_were_published(node, batch):
    with node.subscribe("#") as reader:
        node.publish_many(batch)
        received = reader.collect(len(batch), 5)

    assert [published(event) for event in received] == batch


def test_an_event_cannot_be_changed():
    event = Event("a", b"x")

    with pytest.raises(dataclasses.FrozenInstanceError):
        event.topic = "b"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        event.other = 1  # type: ignore[attr-defined]


def test_a_received_event_can_be_copied_compared_and_pickled(node):
    node.publish("a", "x", id="1", headers={"k": "v"})
    (event,) = node.fetch("#", max=1)

    copy = pickle.loads(pickle.dumps(event))

    assert copy == event
    assert hash(copy) == hash(event)
    assert dataclasses.replace(event, topic="b").topic == "b"
    assert "_source" not in repr(event)


def test_what_was_not_received_cannot_be_settled():
    with pytest.raises(marram.Invalid, match="subscription"):
        Event("a").ack()
    with pytest.raises(marram.Invalid, match="subscription"):
        Event("a").nack()


def test_the_time_of_an_event_is_when_it_was_accepted_unless_given(node):
    node.publish("a")

    (event,) = node.fetch("#", max=1)

    assert abs((event.time - datetime.now(UTC)).total_seconds()) < 60
