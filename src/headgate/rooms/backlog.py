"""What a participant who may come back was sent last."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Backlog", "Missed"]

COUNT_LIMIT = 256  # documents
SIZE_LIMIT = 256 * 1024  # bytes


class Missed(NamedTuple):
    frames: Sequence[bytes]
    seq: int
    """The number in front of the first of them."""
    lost: int
    """Documents that are forgotten already."""


class Backlog:
    """Frames by number; the oldest are forgotten. They are shared with everybody else who got them."""

    __slots__ = ("_frames", "_size", "seq")

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._size = 0
        self.seq = 0
        """The number of the last one."""

    def add(self, frame: bytes) -> None:
        self.seq += 1
        self._frames.append(frame)
        self._size += len(frame)
        while len(self._frames) > COUNT_LIMIT or (self._size > SIZE_LIMIT and self._frames):
            self._size -= len(self._frames.popleft())

    def since(self, seen: int) -> Missed:
        """What came after number `seen`. A number that was never given: everything there is."""
        first = self.seq - len(self._frames)
        if not 0 <= seen <= self.seq:
            seen = 0
        lost = max(first - seen, 0)
        skip = max(seen - first, 0)
        return Missed(list(self._frames)[skip:], max(seen, first), lost)
