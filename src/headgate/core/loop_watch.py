"""Whether the event loop comes round in time: a heartbeat that measures how late it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from headgate.core.histogram import Histogram
from headgate.core.stall_watch import StallWatch

__all__ = ["HEARTBEAT", "STALL", "LoopWatch"]

logger = logging.getLogger(__name__)

HEARTBEAT = 0.1  # seconds between beats
STALL = 0.1
"""Seconds late that are a stall. A healthy loop is late by a few milliseconds."""
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopWatch:
    """Enter it to begin measuring. Packets do not pass through the loop: a stall delays decisions only.

    What the loop does in a stall is logged while it lasts, 200 ms after the last beat at the latest.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now`: the running loop's clock, where none is given."""
        self.lags = Histogram(LAGS)
        """Seconds each beat was late."""
        self.stalls = 0
        self.stalled_s = 0.0
        """All stalls together."""
        self._sleep = sleep
        self._now = now
        self._stalls = StallWatch(overdue=HEARTBEAT + STALL)
        self._task: asyncio.Task[None] | None = None
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._stalls.start()
        self._task = self._tasks.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stalls.stop()
        if self._task is not None:
            self._task.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def run(self) -> None:
        """Beat until cancelled."""
        now = self._now or asyncio.get_running_loop().time
        while True:
            expected = now() + HEARTBEAT
            await self._sleep(HEARTBEAT)
            self._stalls.beat()
            lag = max(0.0, now() - expected)
            self.lags.observe(lag)
            if lag >= STALL:
                self.stalls += 1
                self.stalled_s += lag
                logger.warning("the event loop stood still for %d ms", round(lag * 1000))
