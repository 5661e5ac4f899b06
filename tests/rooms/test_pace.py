"""Twenty a second."""

from __future__ import annotations

from headgate.rooms.pace import WITHIN, Pace


def test_twenty_then_the_rest_waits() -> None:
    pace = Pace()
    assert [pace.wait(10.0) for _ in range(WITHIN)] == [0.0] * WITHIN
    assert pace.wait(10.25) == 0.75
    assert [pace.wait(11.0) for _ in range(WITHIN)] == [0.0] * WITHIN
    assert pace.wait(11.0) == 1.0
