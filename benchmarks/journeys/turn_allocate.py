"""401 and Allocate together: their CPU time, and what an allocation that carries nothing holds."""

from benchmarks.journey import Bound, Figure
from benchmarks.relay import RelayJourney, RelayLoad

__all__ = ["JOURNEYS"]

_CHEAP = {Figure.US_PER_ALLOCATION: Bound(most=60), Figure.FAILED: Bound(most=0)}

JOURNEYS = (
    RelayJourney(
        name="turn-allocate",
        load=RelayLoad.ALLOCATE,
        options={"count": 4000, "ways": 1},
        floor=True,
        quick=True,
        targets=_CHEAP,
    ),
    RelayJourney(
        name="turn-allocate-64",
        load=RelayLoad.ALLOCATE,
        options={"count": 4000, "ways": 64},
        floor=True,
        # As fast as that clients must be let in again after a restart (reliability F-01).
        targets=_CHEAP | {Figure.ALLOCATIONS_PER_S: Bound(least=2000)},
    ),
    RelayJourney(
        name="turn-allocate-release",
        load=RelayLoad.ALLOCATE,
        options={"count": 4000, "ways": 16, "release": "yes"},
        targets={Figure.FAILED: Bound(most=0)},
    ),
    RelayJourney(
        name="turn-hold",
        load=RelayLoad.HOLD,
        # Each is a descriptor here and one in the server.
        options={"steps": "0,1000,5000,10000"},
        quick=True,
        targets={
            Figure.KIB_PER_ALLOCATION: Bound(most=4),
            # The slope of what is counted, not a count.
            Figure.FDS_PER_ALLOCATION: Bound(most=1.01),
            Figure.FAILED: Bound(most=0),
        },
    ),
)
