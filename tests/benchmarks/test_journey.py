"""A target is met or missed, and says which."""

from __future__ import annotations

import pytest

from benchmarks.journey import Bound, Figure, Journey
from benchmarks.load import Run
from benchmarks.server import Server
from benchmarks.table import Row


@pytest.mark.parametrize(
    ("bound", "holds", "fails", "text"),
    [
        (Bound(most=1.2), 1.2, 1.21, "≤ 1.2"),
        (Bound(least=99.5), 99.5, 99.4, "≥ 99.5"),
        (Bound(most=0), 0, 1, "= 0"),
        (Bound(least=1, most=2), 1.5, 2.5, "≥ 1, ≤ 2"),
    ],
)
def test_a_bound(bound: Bound, holds: float, fails: float, text: str) -> None:
    assert bound.holds(holds)
    assert not bound.holds(fails)
    assert str(bound) == text


def test_a_bound_in_multiples_of_the_peer_is_judged_only_where_there_is_a_peer() -> None:
    bound = Bound(least=5, times_peer=True)
    assert bound.holds(1000, peer=200)
    assert not bound.holds(999, peer=200)
    assert bound.holds(1)
    assert str(bound) == "≥ 5 times the peer"


def row(*p99_ms: float, void: list[str] | None = None) -> Row:
    journey = Journey(name="j", readers=1, targets={Figure.P99_MS: Bound(most=15)})
    runs = [
        Run(figures={Figure.P99_MS: value}, resident_kb={}, sockets_closed=0, result={}) for value in p99_ms
    ]
    return Row(journey, Server.__new__(Server), runs=runs, void=void or [])


def test_the_median_decides_and_a_void_run_reaches_nothing() -> None:
    assert row(1, 14, 90).misses() == []
    assert row(1, 16, 17).misses() == ["p99 ms"]
    assert row().misses() == ["void"]
    assert row(1, void=["no server"]).misses() == ["void"]


def test_the_peers_median_is_what_a_multiple_is_of() -> None:
    journey = Journey(name="j", readers=1, targets={Figure.P99_MS: Bound(most=1, times_peer=True)})
    ours = row(8, 10, 12)
    ours.journey = journey
    assert ours.misses() == []
    ours.peer = row(1, 11, 100)
    assert ours.misses() == []
    ours.peer = row(1, 9, 100)
    assert ours.misses() == ["p99 ms"]
