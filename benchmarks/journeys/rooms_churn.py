"""A tenth of all go and come back every second: no ghost stays, nobody is forgotten, memory does not grow."""

from benchmarks.journey import Bound, Figure
from benchmarks.rooms import RoomsJourney, RoomsLoad

__all__ = ["JOURNEYS"]

# What allocators round up. A hundred bytes kept of each who goes would be four times this in ten minutes.
_FLAT_KIB = 1024

JOURNEYS = (
    RoomsJourney(
        name="rooms-churn",
        load=RoomsLoad.CHURN,
        options={"clients": 1000, "room": 10, "rate": 100},
        quick=True,
        targets={
            Figure.GHOSTS: Bound(most=0),
            Figure.UNTOLD: Bound(most=0),
            Figure.CLOSED: Bound(most=0),
            Figure.GROWTH_KIB: Bound(most=_FLAT_KIB),
        },
    ),
)
