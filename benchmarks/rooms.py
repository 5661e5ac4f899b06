"""Journeys against a server of rooms, and how they are measured."""

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import linear_regression
from typing import Any

from benchmarks.journey import Bound, Figure
from benchmarks.load import Load, LoadError, Run
from benchmarks.server import Running
from benchmarks.watched import Watched, options_of, run_of, watch

__all__ = ["RoomsJourney", "RoomsLoad"]

LEAVING_SECONDS = 10.0
"""In which a server must have noticed that everybody is gone."""
TIMEOUT = 10.0


class RoomsLoad(StrEnum):
    """A command of `headgate-load`."""

    HOLD = "rooms-hold"
    JOIN = "rooms-join"
    SAY = "rooms-say"
    CHURN = "rooms-churn"


# Connecting and joining last as long as their numbers need.
_TIMED = frozenset({RoomsLoad.SAY, RoomsLoad.CHURN})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsJourney:
    """One load on one freshly started server of rooms."""

    name: str
    load: RoomsLoad
    options: Mapping[str, str | int] = field(default_factory=dict)
    """Of the generator's command, without what all journeys have."""
    floor: bool = False
    """It can be put on the floor too, where nobody hears who comes and goes."""
    pinned: bool = True
    """The server has one CPU for itself, the load the others."""
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
        present: list[int] = []

        def count() -> None:
            if self.load is RoomsLoad.CHURN:
                present.append(_present(running))

        watched, result = watch(running, load, command, pinned=self.pinned, measured=count)
        if self.load is RoomsLoad.CHURN:
            result |= {"present": present[-1], "remaining": _remaining(running)}
        return run_of(self.figures(watched, result), watched, result)

    def figures(self, watched: Sequence[Watched], result: Mapping[str, Any]) -> dict[Figure, float]:
        """What the numbers mean. Raises LoadError when they mean nothing."""
        if len(watched) < 2:
            raise LoadError("the load ended before it was measured")
        used = watched[-1].cpu_seconds - watched[0].cpu_seconds
        match self.load:
            case RoomsLoad.HOLD:
                return _held(watched, result)
            case RoomsLoad.JOIN:
                return _joined(result, used=used)
            case RoomsLoad.SAY:
                return _said(result, used=used, waited=watched[-1].waited - watched[0].waited)
            case RoomsLoad.CHURN:
                return _churned(result, grown=watched[-1].resident_kb - watched[0].resident_kb)


def _present(running: Running) -> int:
    """How many sessions the server says it has. Raises LoadError."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/api/v1/stats")
        answer = connection.getresponse()
        return int(json.loads(answer.read())["hub"]["sessions"])
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise LoadError(f"/api/v1/stats: {error or type(error).__name__}") from None
    finally:
        connection.close()


def _remaining(running: Running) -> int:
    """How many sessions there are though everybody has gone."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while (present := _present(running)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return present


def _held(watched: Sequence[Watched], result: Mapping[str, Any]) -> dict[Figure, float]:
    counts = [float(seen.line["sockets"]) for seen in watched]
    if counts[0] == counts[-1]:
        raise LoadError(f"nobody could connect: {result['reasons']}")
    memory = linear_regression(counts, [float(seen.resident_kb) for seen in watched])
    return {
        Figure.KB_PER_SOCKET: memory.slope * 1.024,
        Figure.P50_MS: result["latency_us"]["p50"] / 1e3,
        Figure.P99_MS: result["latency_us"]["p99"] / 1e3,
        Figure.FAILED: result["failed"],
    }


def _joined(result: Mapping[str, Any], *, used: float) -> dict[Figure, float]:
    if not result["joined"]:
        raise LoadError(f"nobody could join: {result['reasons']}")
    return {
        Figure.US_PER_JOIN: used / result["joined"] * 1e6,
        Figure.JOINS_PER_S: result["per_second"],
        Figure.P50_MS: result["latency_us"]["p50"] / 1e3,
        Figure.P99_MS: result["latency_us"]["p99"] / 1e3,
        Figure.FAILED: result["failed"],
    }


def _said(result: Mapping[str, Any], *, used: float, waited: float) -> dict[Figure, float]:
    heard = result["heard"]
    if not heard["per_second"]:
        raise LoadError(f"nobody heard anything while measuring: {result['reasons']}")
    return {
        Figure.DELIVERED_PER_S: heard["per_second"],
        # Of those heard within the time, which are fewer than were said where the server lags behind.
        Figure.US_PER_DELIVERY: used / (heard["per_second"] * result["seconds"]) * 1e6,
        Figure.CORE_PERCENT: used / result["seconds"] * 100,
        Figure.WAITED_PERCENT: waited / result["seconds"] * 100,
        Figure.P50_MS: heard["latency_us"]["p50"] / 1e3,
        Figure.P99_MS: heard["latency_us"]["p99"] / 1e3,
        Figure.LATE_US: result["sent"]["late_us"]["p50"],
        Figure.DELIVERED_PERCENT: heard["messages"] / heard["expected"] * 100,
        Figure.CLOSED: heard["closed"],
    }


def _churned(result: Mapping[str, Any], *, grown: int) -> dict[Figure, float]:
    left, joined = result["left"], result["joined"]
    # One too many is as wrong as one too few.
    untold = abs(left["heard"] - left["expected"]) + abs(joined["heard"] - joined["expected"])
    wrong = abs(result["present"] - result["clients"])
    return {
        Figure.CHANGES: result["changes"],
        Figure.P50_MS: result["gone_us"]["p50"] / 1e3,
        Figure.P99_MS: result["gone_us"]["p99"] / 1e3,
        Figure.GROWTH_KIB: grown,
        Figure.GHOSTS: result["ghosts"] + wrong + result["remaining"],
        Figure.UNTOLD: untold + result["missing"] + result["stuck"],
        Figure.CLOSED: result["closed"] + result["refused"],
    }
