"""A thousand people come into rooms of ten, 64 at a time: how long each waits for its Welcome."""

from benchmarks.journey import Bound, Figure
from benchmarks.rooms import RoomsJourney, RoomsLoad

__all__ = ["JOURNEYS"]

JOURNEYS = (
    RoomsJourney(
        name="rooms-join",
        load=RoomsLoad.JOIN,
        options={"clients": 1000, "room": 10, "ways": 64},
        quick=True,
        targets={Figure.P99_MS: Bound(most=25), Figure.FAILED: Bound(most=0)},
    ),
)
