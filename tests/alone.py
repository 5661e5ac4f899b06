"""Tests run side by side, in processes of their own; one that is marked `alone` has the machine to itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["turn"]

# Two files that every process of a run has, and nobody writes: a lock leaves nothing behind.
DOOR, ROOM = Path(__file__), Path(__file__).with_name("conftest.py")


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait until a test may run, and let it.

    Whoever wants to be alone stands in the door until the others have left: nobody new gets past, so that
    it waits no longer than the longest test.
    """
    with DOOR.open() as door, ROOM.open() as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
