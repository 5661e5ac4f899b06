"""How often Python looks for cycles of garbage."""

from __future__ import annotations

import gc

__all__ = ["THRESHOLDS", "collect_seldom"]

THRESHOLDS = (5_000, 20, 50)
"""Objects more than before, youngest collections, middle ones.

Python's own (700, 10, 10) are for programs that end soon. A server that opens sessions by the thousand makes
objects that live, and each look through all of them stops the loop, for tens of milliseconds at 10,000
sessions.
Cycles that die young are still found.
"""


def collect_seldom() -> None:
    """Once, when everything that lives as long as the process is imported: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
