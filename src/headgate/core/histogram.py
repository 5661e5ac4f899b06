"""How often something took how long."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Self

__all__ = ["Histogram"]


class Histogram:
    """Counts values by upper bounds, as Prometheus wants them. Its size does not grow."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: ascending; what is above the last is counted as well."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0

    @classmethod
    def taken(cls, bounds: Sequence[float], counts: Sequence[int], total: float) -> Self:
        """What was counted elsewhere: one count for each bound, and one for what is above them all."""
        histogram = cls(bounds)
        histogram._counts = list(counts)
        histogram.sum = total
        return histogram

    @property
    def count(self) -> int:
        return sum(self._counts)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound and how many values were not above it; the last bound is infinity."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            yield bound, total
