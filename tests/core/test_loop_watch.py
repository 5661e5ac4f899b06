from __future__ import annotations

import asyncio

import pytest

from headgate.core.loop_watch import HEARTBEAT, LoopWatch


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
