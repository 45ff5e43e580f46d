"""What can go wrong: one class for each kind of failure, all under `Error`.

Messages name the place, what failed, the cause, and in parentheses what to do.
Classes are also the built-in exception that one would expect, so that
``except TimeoutError`` and ``except ConnectionError`` work.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BY_CODE",
    "Busy",
    "Closed",
    "Config",
    "Corrupt",
    "Error",
    "Exists",
    "Forked",
    "Full",
    "GapWarning",
    "Invalid",
    "Io",
    "NotFound",
    "Overloaded",
    "Protocol",
    "Refused",
    "TimedOut",
    "TooLarge",
    "Unreachable",
    "Unsupported",
    "Version",
]


class Error(Exception):
    """Whatever Marram reports.

    Attributes
    ----------
    code
        The stable name of the kind, as docs/errors.md lists it.
    failures
        Of `publish_many`: the number of each refused event, from 0, and why.
    """

    code: ClassVar[str] = ""
    failures: tuple[tuple[int, Error], ...] = ()


class Invalid(Error, ValueError):
    """The input breaks a rule; nothing was done."""

    code = "invalid"


class TooLarge(Error, ValueError):
    """Over a limit, which the message names."""

    code = "too_large"


class NotFound(Error, LookupError):
    """No such stream, consumer, route or event."""

    code = "not_found"


class Exists(Error):
    """The name is taken by something of another kind."""

    code = "exists"


class Busy(Error):
    """In use by another owner or member."""

    code = "busy"


class Full(Error):
    """The store refuses new events until space is free."""

    code = "full"


class Overloaded(Error):
    """Too much is waiting already; try again."""

    code = "overloaded"


class TimedOut(Error, TimeoutError):
    """No answer in time; the outcome is unknown."""

    code = "timed_out"


class Closed(Error):
    """The node, client or subscription has been closed."""

    code = "closed"


class Unreachable(Error, ConnectionError):
    """The other side cannot be reached."""

    code = "unreachable"


class Refused(Error, PermissionError):
    """The other side, or a rule of access, said no."""

    code = "refused"


class Protocol(Error):
    """Bytes that break the protocol; the connection is given up."""

    code = "protocol"


class Io(Error, OSError):
    """The operating system or the disk failed."""

    code = "io"


class Corrupt(Error):
    """Stored data cannot be read back."""

    code = "corrupt"


class Version(Error):
    """A file, frame or peer of a version that this build does not speak."""

    code = "version"


class Config(Error, ValueError):
    """The configuration is wrong; the message says where."""

    code = "config"


class Unsupported(Error, NotImplementedError):
    """A part of a protocol that this build does not offer."""

    code = "unsupported"


class Forked(Error, RuntimeError):
    """Used in a child after fork(); open a new one there."""

    code = "forked"


BY_CODE: dict[str, type[Error]] = {
    kind.code: kind
    for kind in (
        Invalid,
        TooLarge,
        NotFound,
        Exists,
        Busy,
        Full,
        Overloaded,
        TimedOut,
        Closed,
        Unreachable,
        Refused,
        Protocol,
        Io,
        Corrupt,
        Version,
        Config,
        Unsupported,
        Forked,
    )
}


class GapWarning(UserWarning):
    """A reader has missed events that a limit has taken away (see `Gap`)."""


def refused(failures: list[tuple[int, Error]], count: int) -> Error:
    """Return the one error for a `publish_many` of which some were refused."""
    index, first = failures[0]
    kind = type(first)
    if count == 1:
        return first
    error = kind(
        f"publish: {len(failures)} of {count} events were refused, the others are stored; "
        f"the first is event {index}: {first}"
    )
    error.failures = tuple(failures)
    return error
