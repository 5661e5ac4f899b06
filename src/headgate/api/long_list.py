"""A long JSON array, made in pieces between turns of the event loop: ten thousand sessions take a tenth of a
second, in which nobody else would be decided about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from pydantic_core import to_json

__all__ = ["in_turns", "long_list"]

T = TypeVar("T")

PIECE = 64
"""Items that are made in one go: less than a millisecond's work."""
TURN = 0.002
"""Seconds after which others have theirs."""


async def in_turns(items: Sequence[T], *, piece: int = PIECE) -> AsyncIterator[Sequence[T]]:
    """All of them, `piece` at a time. Between two anything may happen, also to those that are to come."""
    began = time.monotonic()
    for start in range(0, len(items), piece):
        if time.monotonic() - began > TURN:
            await asyncio.sleep(0)
            began = time.monotonic()
        yield items[start : start + piece]


async def long_list(items: Sequence[T], documents: Callable[[Sequence[T]], Iterable[object]]) -> bytes:
    """The array of their documents as JSON. `documents` may leave out whom it does not find any more."""
    pieces = [b""]
    async for piece in in_turns(items):
        text = to_json(list(documents(piece)))[1:-1]
        if text:
            pieces.append(text)
    return b"[" + b",".join(pieces[1:]) + b"]"
