"""Connections that say nothing: what each costs the server in memory."""

from benchmarks.journey import Bound, Figure
from benchmarks.rooms import RoomsJourney, RoomsLoad

__all__ = ["JOURNEYS"]

JOURNEYS = (
    RoomsJourney(
        name="rooms-hold",
        load=RoomsLoad.HOLD,
        # Each is a descriptor here and one in the server.
        options={"steps": "0,1000,5000,10000"},
        quick=True,
        targets={Figure.KB_PER_SOCKET: Bound(most=20), Figure.FAILED: Bound(most=0)},
    ),
)
