"""A few at a time, and the others in turn by who asks, so that a flood delays others by one turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """Unbounded: whoever uses it counts who waits."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By address, the one whose turn comes next first."""

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        await self._acquire(who)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, who: str) -> None:
        if self._free:
            self._free -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()  # it was given while its owner gave up
            raise

    def _release(self) -> None:
        while self._waiting:
            who, queue = self._waiting.popitem(last=False)
            waiting = queue.popleft()
            if queue:
                self._waiting[who] = queue  # at the end
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1
