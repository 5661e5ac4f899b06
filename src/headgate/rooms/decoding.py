"""Pictures are decoded in threads, a few at a time, and shown in the order in which they came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from headgate.rooms.pictures import Picture, decode_picture

__all__ = ["Decoding"]

logger = logging.getLogger(__name__)

WAITING_LIMIT = 64
"""Pictures; at most a megabyte each."""


class Decoding:
    """`run` it in a task; until then pictures wait."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[bytes, Callable[[Picture | None], None]]] = asyncio.Queue(
            WAITING_LIMIT
        )
        self.refused = 0
        """Because too many waited."""

    def submit(self, data: bytes, callback: Callable[[Picture | None], None]) -> bool:
        try:
            self._queue.put_nowait((data, callback))
        except asyncio.QueueFull:
            self.refused += 1
            return False
        return True

    async def run(self) -> None:
        while True:
            data, callback = await self._queue.get()
            picture = await asyncio.to_thread(decode_picture, data)
            try:
                callback(picture)
            except Exception:
                logger.exception("a bug while showing a picture")
