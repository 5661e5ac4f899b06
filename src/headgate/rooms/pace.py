"""How fast a client's messages are taken: what is too fast waits, and is not refused."""

from __future__ import annotations

__all__ = ["Pace"]

WINDOW = 1.0  # seconds
WITHIN = 20
"""Messages in a window; the old server's, and more than any call needs."""


class Pace:
    """Twenty at once, then the next twenty a second later."""

    __slots__ = ("_began", "_taken")

    def __init__(self) -> None:
        self._began = float("-inf")
        self._taken = 0

    def wait(self, now: float) -> float:
        """Seconds until the next one may be taken; 0: `take` it."""
        if now - self._began >= WINDOW:
            self._began, self._taken = now, 0
        return 0.0 if self._taken < WITHIN else self._began + WINDOW - now

    def take(self) -> None:
        self._taken += 1
