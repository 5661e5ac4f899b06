"""What a hook prints, as lines of the log: short ones, and not too many."""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["HookOutput"]

logger = logging.getLogger(__name__)

LINE_LIMIT = 1000
"""Bytes of a line that are shown; a program that prints no line ends cannot make us remember more."""
LINES_A_SECOND = 50
"""Of one process. One that prints its progress does not push everybody's lines out of the log."""


class HookOutput:
    """Fed with what comes out of one process's pipe; what was left out is counted and told."""

    def __init__(self, title: str, *, now: Callable[[], float]) -> None:
        self._title = title
        self._now = now
        self._line = bytearray()
        self._cut = 0
        self._second = 0
        self._shown = 0
        self.suppressed = 0
        """Lines not shown since the last that was."""

    def feed(self, data: bytes) -> None:
        *whole, rest = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in whole:
            self._extend(part)
            self._finish()
        self._extend(rest)

    def close(self) -> None:
        """The process ended: tell what it printed without a line's end, and what was not shown."""
        self._finish()
        self._tell_suppressed()

    def _extend(self, part: bytes) -> None:
        room = LINE_LIMIT - len(self._line)
        self._line += part[:room]
        self._cut += max(0, len(part) - room)

    def _finish(self) -> None:
        text, cut = self._line.decode(errors="replace").rstrip(), self._cut
        self._line.clear()
        self._cut = 0
        if not text:
            return
        second = int(self._now())
        if second != self._second:
            self._second, self._shown = second, 0
            self._tell_suppressed()
        if self._shown >= LINES_A_SECOND:
            self.suppressed += 1
            return
        self._shown += 1
        logger.info("%s: %s%s", self._title, text, f" … {cut} more bytes" if cut else "")

    def _tell_suppressed(self) -> None:
        if self.suppressed:
            logger.info("%s: … %d more lines", self._title, self.suppressed)
            self.suppressed = 0
