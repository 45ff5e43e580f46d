"""Durations, sizes and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marram
from marram.values import deadline, micros, moment, octets, share


@pytest.mark.parametrize(
    ("duration", "expected"),
    [(2, 2_000_000), (0.25, 250_000), ("30s", 30_000_000), (timedelta(hours=1), 3_600_000_000)],
)
def test_a_duration_is_seconds_text_or_a_timedelta(duration, expected):
    assert micros(duration) == expected


@pytest.mark.parametrize(
    "duration", [-1, float("nan"), float("inf"), "soon", "", "5", timedelta(-1), 1e30]
)
def test_a_bad_duration_is_refused(duration):
    with pytest.raises(marram.Invalid, match="duration"):
        micros(duration)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_000)))
def test_a_timedelta_keeps_its_microseconds(duration):
    assert timedelta(microseconds=micros(duration)) == duration


def test_sizes_and_shares():
    assert octets("1GiB") == 1 << 30
    assert share("5%") == share(0.05)
    with pytest.raises(marram.Invalid):
        octets(-1)
    with pytest.raises(marram.Invalid):
        share(1.5)


def test_a_time_is_a_datetime_iso_text_or_some_time_ago():
    assert moment("2026-11-24T14:00:00Z") == datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert moment("2026-11-24T14:00:00+02:00") == datetime(2026, 11, 24, 12, tzinfo=UTC)
    ago = datetime.now(UTC) - moment("-1h")
    assert timedelta(minutes=59) < ago < timedelta(minutes=61)
    with pytest.raises(marram.Invalid, match="-1h"):
        moment("yesterday")
    with pytest.raises(marram.Invalid, match="time zone"):
        moment(datetime(2026, 1, 1))


def test_what_expires_is_a_time_or_a_duration_from_now():
    at = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert deadline(at) == at
    assert deadline("2030-01-01T00:00:00Z") == datetime(2030, 1, 1, tzinfo=UTC)
    for hour in ("1h", 3600, timedelta(hours=1)):
        assert abs(deadline(hour) - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
