"""Twenty a second."""

from __future__ import annotations

from headgate.rooms.pace import WITHIN, Pace


def taken(pace: Pace, *, now: float) -> int:
    """How many may be taken at once."""
    count = 0
    while not pace.wait(now):
        pace.take()
        count += 1
    return count


def test_twenty_then_the_rest_waits() -> None:
    pace = Pace()
    assert taken(pace, now=10.0) == WITHIN
    assert pace.wait(10.25) == 0.75
    assert taken(pace, now=11.0) == WITHIN
    assert pace.wait(11.0) == 1.0


def test_to_ask_is_not_to_take() -> None:
    pace = Pace()
    assert [pace.wait(10.0) for _ in range(2 * WITHIN)] == [0.0] * 2 * WITHIN
