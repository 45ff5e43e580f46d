"""Durations, sizes and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from marram import _core
from marram.errors import Invalid

__all__ = ["Duration", "Size", "Time", "moment", "micros", "octets", "share"]

Duration = float | int | str | timedelta
"""Seconds, a timedelta, or text such as ``"30s"``, ``"250ms"``, ``"7d"``."""

Size = int | str
"""Bytes, or text such as ``"64KiB"`` and ``"1GiB"``."""

Time = datetime | str
"""A datetime with a time zone, ISO text, or ``"-1h"`` for an hour ago."""

_LONGEST_MICROS = 100 * 366 * 86_400 * 1_000_000


def micros(duration: Duration) -> int:
    """Return a duration in microseconds.

    Raises
    ------
    Invalid
        Negative, longer than 100 years, or text that is no duration.

    Examples
    --------
    >>> micros("250ms"), micros(1.5), micros(timedelta(minutes=1))
    (250000, 1500000, 60000000)
    """
    if isinstance(duration, str):
        return _core.parse_duration(duration)
    if isinstance(duration, timedelta):
        count = duration // timedelta(microseconds=1)
    else:
        try:
            count = round(duration * 1_000_000)
        except (ValueError, OverflowError):  # not a number, infinite
            count = -1
    if not 0 <= count <= _LONGEST_MICROS:
        raise Invalid(f"duration: {duration} is not from 0 to 100 years (write seconds or '30s')")
    return count


def optional_micros(duration: Duration | None) -> int | None:
    """Return a duration in microseconds; None means for ever."""
    return None if duration is None else micros(duration)


def octets(size: Size) -> int:
    """Return a size in bytes.

    Examples
    --------
    >>> octets("64KiB"), octets(10)
    (65536, 10)
    """
    if isinstance(size, str):
        return _core.parse_bytes(size)
    if size < 0:
        raise Invalid(f"size: {size} is negative (write bytes, or '1GiB')")
    return size


def share(value: float | str) -> float:
    """Return a share between 0 and 1.

    Examples
    --------
    >>> share("5%"), share(0.05)
    (0.05, 0.05)
    """
    if isinstance(value, str):
        return _core.parse_share(value)
    if not 0 <= value <= 1:
        raise Invalid(f"share: {value} is not from 0 to 1 (write 0.05 or '5%')")
    return value


def moment(time: Time) -> datetime:
    """Return a time as a datetime with a time zone.

    Raises
    ------
    Invalid
        Text that is no time, or a datetime without a time zone.

    Examples
    --------
    >>> moment("2026-11-24T14:00:00Z")
    datetime.datetime(2026, 11, 24, 14, 0, tzinfo=datetime.timezone.utc)
    """
    if isinstance(time, str):
        return _core.parse_time(time)
    if time.tzinfo is None:
        raise Invalid(
            f"time: {time} has no time zone and could mean any of 24 hours "
            "(write datetime.now(UTC), or call astimezone() on a local time)"
        )
    return time


def deadline(expires: Time | Duration) -> datetime:
    """Return when something expires: a time, or a duration from now."""
    if isinstance(expires, datetime):
        return moment(expires)
    if isinstance(expires, str):
        try:
            after = micros(expires)
        except Invalid:
            return moment(expires)
    else:
        after = micros(expires)
    return datetime.now(UTC) + timedelta(microseconds=after)
