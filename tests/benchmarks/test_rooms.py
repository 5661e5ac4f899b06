"""What the generator counted and the server used make the figures of the rooms' journeys."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.journey import Figure
from benchmarks.journeys import ROOMS_JOURNEYS
from benchmarks.load import LoadError
from benchmarks.rooms import RoomsJourney, RoomsLoad
from benchmarks.watched import Watched

LATENCY = {"p50": 1500, "p99": 20_000}


def watched(*, kb: tuple[int, int] = (1000, 1500)) -> list[Watched]:
    return [
        Watched({"phase": "measuring"}, 1.0, kb[0], 5, 0.5),
        Watched({"phase": "measured"}, 3.0, kb[1], 5, 0.9),
    ]


def figures(load: RoomsLoad, seen: list[Watched], result: dict[str, Any]) -> dict[Figure, float]:
    return RoomsJourney(name="j", load=load).figures(seen, result)


def said(*, messages: int, per_second: float) -> dict[str, Any]:
    heard = {"expected": 100_000, "messages": messages, "per_second": per_second, "closed": 0}
    return {
        "seconds": 4.0,
        "sent": {"messages": 100_000, "late_us": {"p50": 170}},
        "heard": heard | {"latency_us": LATENCY},
        "reasons": [],
    }


def churned(**wrong: int) -> dict[str, Any]:
    told = {"heard": 900, "expected": 900}
    good = {"clients": 1000, "present": 1000, "remaining": 0, "ghosts": 0, "missing": 0, "stuck": 0}
    result = good | {"changes": 100, "closed": 0, "refused": 0, "gone_us": LATENCY} | wrong
    return result | {"left": told, "joined": told | {"heard": 900 + wrong.get("joined", 0)}}


def test_what_a_delivery_costs_is_of_those_heard_in_time() -> None:
    found = figures(RoomsLoad.SAY, watched(), said(messages=100_000, per_second=12_500))
    assert found[Figure.US_PER_DELIVERY] == pytest.approx(40)
    assert found[Figure.CORE_PERCENT] == pytest.approx(50)
    assert found[Figure.WAITED_PERCENT] == pytest.approx(10)
    assert (found[Figure.P99_MS], found[Figure.DELIVERED_PERCENT]) == (20, 100)


def test_what_a_join_costs() -> None:
    result = {"joined": 1000, "failed": 2, "per_second": 6000.0, "latency_us": LATENCY, "reasons": []}
    found = figures(RoomsLoad.JOIN, watched(), result)
    assert found[Figure.US_PER_JOIN] == pytest.approx(2000)
    assert (found[Figure.JOINS_PER_S], found[Figure.P99_MS], found[Figure.FAILED]) == (6000, 20, 2)


def test_what_a_connection_holds_is_the_slope() -> None:
    seen = [
        Watched({"phase": "held", "sockets": count}, 0, 70_000 + 5 * count, 7 + count)
        for count in (0, 1000, 5000, 10_000)
    ]
    found = figures(RoomsLoad.HOLD, seen, {"failed": 0, "latency_us": LATENCY, "reasons": []})
    assert found[Figure.KB_PER_SOCKET] == pytest.approx(5.12)


@pytest.mark.parametrize(
    ("wrong", "ghosts", "untold"),
    [
        ({}, 0, 0),
        ({"ghosts": 2}, 2, 0),
        # More than are there, or fewer: both are wrong.
        ({"present": 1003}, 3, 0),
        ({"present": 999}, 1, 0),
        ({"remaining": 4}, 4, 0),
        ({"joined": -5}, 0, 5),
        ({"joined": 5}, 0, 5),
        ({"missing": 1, "stuck": 2}, 0, 3),
    ],
)
def test_who_is_there_and_gone(wrong: dict[str, int], ghosts: int, untold: int) -> None:
    found = figures(RoomsLoad.CHURN, watched(), churned(**wrong))
    assert (found[Figure.GHOSTS], found[Figure.UNTOLD]) == (ghosts, untold)
    assert (found[Figure.GROWTH_KIB], found[Figure.CHANGES]) == (500, 100)


@pytest.mark.parametrize(
    ("load", "seen", "result"),
    [
        (RoomsLoad.SAY, [], {}),
        (RoomsLoad.SAY, watched(), said(messages=0, per_second=0)),
        (RoomsLoad.JOIN, watched(), {"joined": 0, "reasons": ["full"]}),
        (RoomsLoad.HOLD, [Watched({"phase": "held", "sockets": 0}, 0, 1, 1)] * 2, {"reasons": ["x"]}),
    ],
)
def test_a_run_that_says_nothing_is_void(
    load: RoomsLoad, seen: list[Watched], result: dict[str, Any]
) -> None:
    with pytest.raises(LoadError):
        figures(load, seen, result)


def test_every_journey_has_a_name_of_its_own() -> None:
    names = [journey.name for journey in ROOMS_JOURNEYS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("rooms-") for name in names)
