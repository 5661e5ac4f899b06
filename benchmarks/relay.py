"""Journeys against a TURN server, and how they are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import linear_regression
from typing import Any

from benchmarks.journey import Bound, Figure
from benchmarks.load import Load, LoadError, Run
from benchmarks.server import Running
from benchmarks.watched import Watched, options_of, run_of, watch

__all__ = ["RelayJourney", "RelayLoad"]


class RelayLoad(StrEnum):
    """A command of `headgate-load`."""

    RELAY = "turn-relay"
    ALLOCATE = "turn-allocate"
    HOLD = "turn-hold"
    FLOOD = "turn-flood"


# Allocations and holding last as long as their numbers need.
_TIMED = frozenset({RelayLoad.RELAY, RelayLoad.FLOOD})


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayJourney:
    """One load on one freshly started TURN server."""

    name: str
    load: RelayLoad
    options: Mapping[str, str | int] = field(default_factory=dict)
    """Of the generator's command, without what all journeys have."""
    floor: bool = False
    """It can be put on the floor too, which neither authenticates nor knows Send."""
    direct: bool = False
    """No server is in it: the load's clients and its peers write to each other. It is the floor's alone."""
    pinned: bool = True
    """The server has one CPU for itself (and coturn one relay thread), the load the others."""
    quick: bool = False
    targets: Mapping[Figure, Bound] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.load.value

    def put_on(self, running: Running, load: Load, *, seconds: float) -> Run:
        """Raises LoadError when the run is void."""
        command = [
            self.load.value,
            *options_of(self.options, seconds=seconds if self.load in _TIMED else None),
        ]
        watched, result = watch(running, load, command, pinned=self.pinned)
        return run_of(self.figures(watched, result), watched, result)

    def figures(self, watched: Sequence[Watched], result: Mapping[str, Any]) -> dict[Figure, float]:
        """What the numbers mean. Raises LoadError when they mean nothing."""
        if len(watched) < 2:
            raise LoadError("the load ended before it was measured")
        used = watched[-1].cpu_seconds - watched[0].cpu_seconds
        match self.load:
            case RelayLoad.RELAY if self.direct:
                return _travelled(result)
            case RelayLoad.RELAY:
                return _relayed(result, used=used)
            case RelayLoad.ALLOCATE:
                return _allocated(result, used=used)
            case RelayLoad.HOLD:
                return _held(watched, result)
            case RelayLoad.FLOOD:
                return _flooded(result, grown=watched[-1].resident_kb - watched[0].resident_kb)


def _relayed(result: Mapping[str, Any], *, used: float) -> dict[Figure, float]:
    echoed, received = result["echoed"], result["received"]
    forwarded = echoed["packets"] + received["packets"]
    if not forwarded or not used:
        raise LoadError("nothing was relayed while measuring")
    return {
        Figure.US_PER_PACKET: used / forwarded * 1e6,
        Figure.PACKETS_PER_CPU_MS: forwarded / used / 1e3,
        Figure.CORE_PERCENT: used / result["seconds"] * 100,
        **_travelled(result),
    }


def _travelled(result: Mapping[str, Any]) -> dict[Figure, float]:
    echoed, received = result["echoed"], result["received"]
    if not received["packets"]:
        raise LoadError("nothing came back while measuring")
    # One way: to the peer where there is one, to the other client otherwise.
    latency = (echoed if echoed["packets"] else received)["latency_us"]
    return {
        Figure.P50_US: latency["p50"],
        Figure.P99_US: latency["p99"],
        Figure.LATE_US: result["sent"]["late_us"]["p50"],
        Figure.DELIVERED_PERCENT: received["packets"] / result["sent"]["packets"] * 100,
    }


def _allocated(result: Mapping[str, Any], *, used: float) -> dict[Figure, float]:
    return {
        Figure.US_PER_ALLOCATION: used / result["allocated"] * 1e6,
        Figure.ALLOCATIONS_PER_S: result["per_second"],
        Figure.P50_US: result["latency_us"]["p50"],
        Figure.P99_US: result["latency_us"]["p99"],
        Figure.FAILED: result["failed"],
    }


def _held(watched: Sequence[Watched], result: Mapping[str, Any]) -> dict[Figure, float]:
    counts = [float(seen.line["allocations"]) for seen in watched]
    if counts[0] == counts[-1]:
        raise LoadError(f"nothing was allocated: {result['reasons']}")
    memory = linear_regression(counts, [float(seen.resident_kb) for seen in watched])
    descriptors = linear_regression(counts, [float(seen.sockets) for seen in watched])
    return {
        Figure.KIB_PER_ALLOCATION: memory.slope,
        Figure.FDS_PER_ALLOCATION: descriptors.slope,
        Figure.FAILED: result["failed"],
    }


def _flooded(result: Mapping[str, Any], *, grown: int) -> dict[Figure, float]:
    rightful = result["rightful"]
    return {
        Figure.GROWTH_KIB: grown,
        Figure.ANSWERED_PERCENT: result["answered"] / result["questions"] * 100,
        Figure.SERVED_PERCENT: rightful["served"] / rightful["tried"] * 100,
        Figure.P50_US: rightful["latency_us"]["p50"],
        Figure.P99_US: rightful["latency_us"]["p99"],
    }
