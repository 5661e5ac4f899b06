from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from headgate.core.loop_watch import HEARTBEAT, STALL, LoopWatch
from headgate.core.stall_watch import StallWatch


class Clock:
    """A heart that beats as late as the test says, then no more."""

    def __init__(self, *late: float) -> None:
        self.late = list(late)
        self.time = 50.0

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        assert seconds == HEARTBEAT
        if not self.late:
            raise asyncio.CancelledError
        self.time += seconds + self.late.pop(0)


async def test_it_measures_how_late_the_loop_is(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(0.0, 0.003, 0.2, -0.001, 1.5)
    watch = LoopWatch(sleep=clock.sleep, now=clock)
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert (watch.lags.count, watch.stalls, round(watch.stalled_s, 6)) == (5, 2, 1.7)
    assert watch.lags.sum == pytest.approx(1.703)
    assert caplog.messages == [
        "the event loop stood still for 200 ms",
        "the event loop stood still for 1500 ms",
    ]


async def test_it_beats_while_it_is_entered() -> None:
    async with LoopWatch() as watch:
        async with asyncio.timeout(10):
            while not watch.lags.count:  # noqa: ASYNC110
                await asyncio.sleep(HEARTBEAT)


class Said(logging.Handler):
    """When the stack was told, by the clock of `time.monotonic`."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.at.append((time.monotonic(), record.getMessage()))


@pytest.fixture
def said() -> Iterator[Said]:
    said = Said()
    logger = logging.getLogger("headgate.core.stall_watch")
    logger.addHandler(said)
    yield said
    logger.removeHandler(said)


def busy_loop(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("stall", [busy_loop, time.sleep])
async def test_a_stall_is_told_with_its_stack_while_it_lasts(
    said: Said, stall: Callable[[float], None]
) -> None:
    """F-22: within 150 ms after the 100 ms that make a stall. The best of three, on a machine with others."""
    told: list[float] = []
    async with LoopWatch() as watch:
        for _ in range(3):
            beats = watch.lags.count
            while watch.lags.count == beats:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            said.at.clear()
            stalls, began = watch.stalls, time.monotonic()
            stall(0.4)
            ended = time.monotonic()
            at, text = said.at[0]
            assert at < ended, "it was told before it was over"
            assert "test_loop_watch.py" in text
            assert "test_a_stall_is_told_with_its_stack_while_it_lasts" in text
            told.append(at - began)
            while watch.stalls == stalls:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            assert len(said.at) == 1, "once for a stall"
        assert watch.stalled_s >= 3 * 0.25
    assert min(told) <= STALL + 0.15


async def test_a_loop_that_turns_is_left_alone(said: Said) -> None:
    now = 50.0
    watch = StallWatch(overdue=0.2, now=lambda: now)
    assert watch.look() == pytest.approx(0.2)
    now += 0.15
    assert watch.look() == pytest.approx(0.05)
    watch.beat()
    now += 0.19
    assert watch.look() == pytest.approx(0.01)
    assert said.at == []
    now += 0.02
    assert watch.look() == 0.2
    assert watch.look() == 0.2
    assert len(said.at) == 1
