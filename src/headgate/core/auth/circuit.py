"""A fuse before a server that does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Circuit"]

THRESHOLD = 5  # failures in a row
PROBE_INTERVAL = 5.0  # seconds between attempts while it is open


class Circuit:
    """Closed, it lets everybody through. Open, it lets one through in `PROBE_INTERVAL`, to see."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._next_probe = 0.0

    @property
    def open(self) -> bool:
        return self._failures >= THRESHOLD

    def admits(self) -> bool:
        if not self.open:
            return True
        if self._now() < self._next_probe:
            return False
        self._next_probe = self._now() + PROBE_INTERVAL
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == THRESHOLD:
            self._next_probe = self._now() + PROBE_INTERVAL
