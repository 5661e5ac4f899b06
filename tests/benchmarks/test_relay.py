"""What the generator counted and the server used make the figures of the TURN journeys."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.journey import Figure
from benchmarks.journeys import RELAY_JOURNEYS
from benchmarks.load import LoadError
from benchmarks.relay import RelayJourney, RelayLoad
from benchmarks.watched import Watched


def watched(*, cpu: tuple[float, float] = (1.0, 3.0), kb: tuple[int, int] = (1000, 1500)) -> list[Watched]:
    return [
        Watched({"phase": "measuring"}, cpu[0], kb[0], 5),
        Watched({"phase": "measured"}, cpu[1], kb[1], 5),
    ]


def figures(load: RelayLoad, seen: list[Watched], result: dict[str, Any]) -> dict[Figure, float]:
    return RelayJourney(name="j", load=load).figures(seen, result)


def relayed(*, echoed: int, received: int) -> dict[str, Any]:
    return {
        "seconds": 4.0,
        "sent": {"packets": 1000, "late_us": {"p50": 30}},
        "echoed": {"packets": echoed, "latency_us": {"p50": 40, "p99": 90}},
        "received": {"packets": received, "latency_us": {"p50": 80, "p99": 99}},
    }


def test_a_packet_to_the_peer_and_one_back_are_two() -> None:
    found = figures(RelayLoad.RELAY, watched(), relayed(echoed=1000, received=1000))
    assert found[Figure.US_PER_PACKET] == pytest.approx(1000)
    assert found[Figure.PACKETS_PER_CPU_MS] == pytest.approx(1)
    assert found[Figure.CORE_PERCENT] == pytest.approx(50)
    assert found[Figure.LATE_US] == 30
    # One way is the way to the peer.
    assert (found[Figure.P50_US], found[Figure.DELIVERED_PERCENT]) == (40, 100)


def test_between_clients_a_message_counts_once_and_its_way_ends_at_the_other() -> None:
    found = figures(RelayLoad.RELAY, watched(), relayed(echoed=0, received=500))
    assert found[Figure.US_PER_PACKET] == pytest.approx(4000)
    assert (found[Figure.P50_US], found[Figure.DELIVERED_PERCENT]) == (80, 50)


def test_without_a_server_there_is_only_the_way() -> None:
    """What a relay's latency is measured against: nobody's CPU time, and the same way."""
    seen, result = watched(cpu=(0.0, 0.0)), relayed(echoed=1000, received=999)
    found = RelayJourney(name="j", load=RelayLoad.RELAY, direct=True).figures(seen, result)
    assert found == {
        Figure.P50_US: 40,
        Figure.P99_US: 90,
        Figure.LATE_US: 30,
        Figure.DELIVERED_PERCENT: 99.9,
    }
    with pytest.raises(LoadError):
        RelayJourney(name="j", load=RelayLoad.RELAY, direct=True).figures(seen, relayed(echoed=0, received=0))


def test_an_allocation_costs_the_cpu_time_of_both_its_requests() -> None:
    latency = {"p50": 300, "p99": 900}
    result = {"allocated": 4000, "failed": 1, "per_second": 2500.0, "latency_us": latency}
    found = figures(RelayLoad.ALLOCATE, watched(), result)
    assert found[Figure.US_PER_ALLOCATION] == pytest.approx(500)
    assert (found[Figure.ALLOCATIONS_PER_S], found[Figure.FAILED]) == (2500, 1)


def test_what_an_allocation_holds_is_the_slope_and_not_the_first_step() -> None:
    seen = [
        Watched({"phase": "held", "allocations": count}, 0, 9000 + 4 * count, 7 + count)
        for count in (0, 1000, 5000)
    ]
    found = figures(RelayLoad.HOLD, seen, {"failed": 0, "reasons": []})
    assert found[Figure.KIB_PER_ALLOCATION] == pytest.approx(4)
    assert found[Figure.FDS_PER_ALLOCATION] == pytest.approx(1)


def test_a_flood_is_judged_by_growth_answers_and_the_rightful() -> None:
    rightful = {"tried": 50, "served": 49, "latency_us": {"p50": 1, "p99": 2}}
    found = figures(RelayLoad.FLOOD, watched(), {"questions": 1000, "answered": 990, "rightful": rightful})
    assert found[Figure.GROWTH_KIB] == 500
    assert (found[Figure.ANSWERED_PERCENT], found[Figure.SERVED_PERCENT]) == (99, 98)


@pytest.mark.parametrize(
    ("load", "seen", "result"),
    [
        (RelayLoad.RELAY, [], {}),
        (RelayLoad.RELAY, watched(), relayed(echoed=0, received=0)),
        (
            RelayLoad.HOLD,
            [Watched({"phase": "held", "allocations": 0}, 0, 1, 1)] * 2,
            {"failed": 9, "reasons": ["x"]},
        ),
    ],
)
def test_a_run_that_says_nothing_is_void(
    load: RelayLoad, seen: list[Watched], result: dict[str, Any]
) -> None:
    with pytest.raises(LoadError):
        figures(load, seen, result)


def test_every_journey_has_a_name_of_its_own() -> None:
    names = [journey.name for journey in RELAY_JOURNEYS]
    assert len(set(names)) == len(names)
