from __future__ import annotations

from headgate.media.backoff import Backoff


def test_it_doubles_up_to_a_limit() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.after(worked=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(worked=29) == 30
    assert backoff.after(worked=30) == 1, "what worked for long begins anew"


def test_it_is_not_the_same_for_all() -> None:
    assert Backoff(draw=lambda: 0.0).after(worked=0) == 0.5
    assert len({Backoff().after(worked=0) for _ in range(10)}) > 1
