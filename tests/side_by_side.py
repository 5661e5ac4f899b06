"""Tests in several processes at once: which stay together, and which want the machine for themselves."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Schedule", "turn"]

# Two files that every process of a run has, and nobody writes: a lock leaves nothing behind.
DOOR, ROOM = Path(__file__), Path(__file__).with_name("conftest.py")
BROWSERS = ("tests/journeys/rooms/", "tests/journeys/test_turn_browser.py")


class Schedule(LoadScopeScheduling):
    """A file's tests share its servers, so they run in one process, as do all that start browsers: a call
    is work for more than one core, and two at once are a test of the machine.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "browsers" if nodeid.startswith(BROWSERS) else nodeid.split("::")[0]


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
