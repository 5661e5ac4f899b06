from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds", "printed"),
    [
        ("10s", 10, "10s"),
        ("60s", 60, "1m0s"),
        ("1h", 3600, "1h0m0s"),
        ("90m", 5400, "1h30m0s"),
        ("200ms", 0.2, "200ms"),
        ("1.5s", 1.5, "1.5s"),
        (".5s", 0.5, "500ms"),
        ("1.s", 1, "1s"),
        ("1500us", 0.0015, "1.5ms"),
        ("3µs", 3e-6, "3µs"),
        ("3μs", 3e-6, "3µs"),
        ("7ns", 7e-9, "7ns"),
        ("24h", 86400, "1d"),
        ("1d", 86400, "1d"),
        ("1d12h", 129600, "1d12h0m0s"),
        ("-1d1h", -90000, "-1d1h0m0s"),
        ("-5s", -5, "-5s"),
        ("+5s", 5, "5s"),
        ("1m0.25s", 60.25, "1m0.25s"),
        ("0", 0, ""),
        ("0s", 0, ""),
        ("", 0, ""),
    ],
)
def test_reads_and_prints_as_go_does(text: str, seconds: float, printed: str) -> None:
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-10)
    assert format_duration(parse_duration(text)) == printed


@pytest.mark.parametrize(
    "text", ["10", "s", "1x", "1 s", "ten", "1s ", "1d-5s", "-", "+", "1.2.3s", "d", "٣s"]
)
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["200000d", "9999999999999h", "-106752d"])
def test_refuses_what_no_clock_can_hold(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_duration(text)


def test_a_very_long_text_is_not_repeated_in_its_error() -> None:
    with pytest.raises(ValueError, match="invalid duration") as caught:
        parse_duration("9" * 100_000 + "s")
    assert len(str(caught.value)) < 200


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_printed_reads_back(microseconds: int) -> None:
    seconds = microseconds / 1e6
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12, abs=1e-9)


@given(st.text(max_size=80))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_duration(text), float)
