"""What else runs in the loop while an operator's call is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Others", "be_busy"]

BUSY = 0.003  # seconds, more than anything may take in one go


class Others:
    def __init__(self) -> None:
        self.turns = 0

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    @classmethod
    @asynccontextmanager
    async def beside(cls) -> AsyncIterator[Others]:
        others = cls()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(others._run())
            yield others
            task.cancel()


def be_busy() -> None:
    until = time.monotonic() + BUSY
    while time.monotonic() < until:
        pass
