"""Where the event loop stands still: a thread that looks at the loop's stack while a stall lasts."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

__all__ = ["StallWatch"]

logger = logging.getLogger(__name__)

FRAMES = 16
"""Of a stack, from the innermost on: enough to tell who called what does not return."""


class StallWatch:
    """`start` it on the loop's thread, and `beat` on every turn; a beat that is overdue is told once.

    It sleeps until a beat is overdue, so a healthy loop costs some ten wake-ups a second. Code that keeps the
    interpreter's lock keeps this thread away too: then the stack is told when the lock is free again.
    """

    def __init__(self, *, overdue: float, now: Callable[[], float] = time.monotonic) -> None:
        """`overdue`: seconds without a beat."""
        self._overdue = overdue
        self._now = now
        self._beat = now()
        self._told = False
        self._stopped = threading.Event()
        self._watched = 0
        self._thread = threading.Thread(target=self._run, name="stall watch", daemon=True)

    def start(self) -> None:
        self._watched = threading.get_ident()
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Does not wait: the thread looks at nothing any more."""
        self._stopped.set()

    def beat(self) -> None:
        self._beat = self._now()
        self._told = False

    def look(self) -> float:
        """Tell of a stall, if there is one. Returns the seconds until the next look."""
        silent = self._now() - self._beat
        if silent < self._overdue:
            return self._overdue - silent
        if not self._told:
            self._told = True
            frame = sys._current_frames().get(self._watched)
            logger.warning(
                "the event loop stands still for %d ms, in %s", round(silent * 1000), _stack(frame)
            )
        return self._overdue

    def _run(self) -> None:
        while not self._stopped.wait(self.look()):
            pass


def _stack(frame: FrameType | None) -> str:
    """Innermost first, on one line."""
    calls: list[str] = []
    while frame is not None and len(calls) < FRAMES:
        file = Path(frame.f_code.co_filename)
        calls.append(f"{file.parent.name}/{file.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(calls) or "code that cannot be seen"
