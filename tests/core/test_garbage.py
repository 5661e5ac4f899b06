"""Collections become seldom, and do not stop."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from headgate.core.garbage import THRESHOLDS, collect_seldom


class Knot:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_lives_for_ever_is_set_aside_and_cycles_are_still_found() -> None:
    collect_seldom()
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 0
    knot = weakref.ref(Knot())
    kept = []
    while knot() is not None and len(kept) < 3 * THRESHOLDS[0]:
        kept.append([])  # it is the number of objects that starts a collection
    assert knot() is None
