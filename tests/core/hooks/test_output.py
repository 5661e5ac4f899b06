from __future__ import annotations

import logging

import pytest

from headgate.core.hooks.output import LINE_LIMIT, LINES_A_SECOND, HookOutput


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_lines_come_whole_however_they_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    output = HookOutput("hook", now=Clock())
    for part in (b"one\ntw", b"o\r\n\n", b"frame=1\rframe=2\rlast \xff"):
        output.feed(part)
    output.close()
    assert caplog.messages == [
        "hook: one",
        "hook: two",
        "hook: frame=1",
        "hook: frame=2",
        "hook: last \ufffd",
    ]


def test_a_line_is_as_long_as_it_may_be(caplog: pytest.LogCaptureFixture) -> None:
    output = HookOutput("hook", now=Clock())
    for _ in range(100):
        output.feed(b"x" * 1000)
    assert len(output._line) == LINE_LIMIT
    output.feed(b"\nnext\n")
    assert caplog.messages == [f"hook: {'x' * LINE_LIMIT} … {100_000 - LINE_LIMIT} more bytes", "hook: next"]


def test_too_many_lines_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    output = HookOutput("hook", now=clock)
    output.feed(b"x\n" * (LINES_A_SECOND + 7))
    assert len(caplog.messages) == LINES_A_SECOND
    clock.time += 1
    output.feed(b"y\n")
    assert caplog.messages[LINES_A_SECOND:] == ["hook: … 7 more lines", "hook: y"]
    output.feed(b"z\n" * LINES_A_SECOND)
    output.close()
    assert caplog.messages[-1] == "hook: … 1 more lines"
