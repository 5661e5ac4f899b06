from __future__ import annotations

from headgate.core.histogram import Histogram


def test_values_are_counted_up_to_each_bound() -> None:
    histogram = Histogram([1.0, 2.5])
    for value in (0.5, 1.0, 1.5, 2.5, 100.0):
        histogram.observe(value)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.5, 4), (float("inf"), 5)]
    assert (histogram.count, histogram.sum) == (5, 105.5)


def test_what_was_counted_elsewhere() -> None:
    histogram = Histogram.taken([1.0, 2.5], [2, 0, 1], 7.5)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.5, 2), (float("inf"), 3)]
    assert (histogram.count, histogram.sum) == (3, 7.5)
