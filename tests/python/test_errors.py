"""One class for each code, and the page that explains them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import marram
from marram import _core, errors

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_each_code_of_the_core_has_its_class():
    assert list(errors.BY_CODE) == _core.error_names()
    for code, kind in errors.BY_CODE.items():
        assert kind.__name__.lower() == code.replace("_", "")
        assert getattr(marram, kind.__name__) is kind
        assert kind.__doc__


def test_each_code_has_its_line_on_the_page():
    lines = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)

    assert lines == [(code, kind.__name__) for code, kind in errors.BY_CODE.items()]


def test_errors_are_the_built_in_ones_that_one_expects():
    assert issubclass(marram.TimedOut, TimeoutError)
    assert issubclass(marram.Unreachable, ConnectionError)
    assert issubclass(marram.Invalid, ValueError)
    assert issubclass(marram.Io, OSError)
    assert all(issubclass(kind, marram.Error) for kind in errors.BY_CODE.values())


def test_an_error_says_what_to_do():
    with pytest.raises(marram.Invalid, match=r"\(write .* such as 30s") as caught:
        _core.parse_duration("soon")
    assert caught.value.code == "invalid"
    assert str(marram.Io("store: x")) == "store: x"


def test_what_was_refused_of_many_is_one_error():
    failures = [(3, marram.Full("no space")), (5, marram.Full("no space"))]

    error = errors.refused(failures, 10)

    assert isinstance(error, marram.Full)
    assert error.failures == tuple(failures)
    assert "2 of 10" in str(error)
    assert "event 3: no space" in str(error)
