"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Backoff"]

FIRST = 1.0  # seconds: a server that restarts is back about then
LIMIT = 30.0  # seconds: what an operator who has just mended a camera is ready to wait
STEADY = 30.0
"""Seconds that something must have worked for its failure to count as the first."""


class Backoff:
    """Doubles up to a limit. Jitter keeps a hundred sources of one camera server from coming at once."""

    def __init__(self, *, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        """0 to 1."""
        self._base = FIRST

    def after(self, *, worked: float) -> float:
        """Seconds until the next try, after one that worked for so many."""
        if worked >= STEADY:
            self._base = FIRST
        wait = self._base * (0.5 + self._draw() / 2)
        self._base = min(self._base * 2, LIMIT)
        return wait
