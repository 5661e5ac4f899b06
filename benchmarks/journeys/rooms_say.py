"""Messages from one to one, as calls begin, and from one to all in a room, as people chat."""

from benchmarks.journey import Bound, Figure
from benchmarks.rooms import RoomsJourney, RoomsLoad

__all__ = ["JOURNEYS"]

# A server may hold everybody to 20 messages a second; here nobody says more than 13.
_OFFERS: dict[str, str | int] = {"towards": "one", "clients": 2000, "room": 10, "size": 1400}
_CHATS: dict[str, str | int] = {"towards": "room", "clients": 2000, "room": 10, "size": 100}


def _at_least(rate: int) -> dict[Figure, Bound]:
    return {
        Figure.DELIVERED_PER_S: Bound(least=rate),
        Figure.P99_MS: Bound(most=50),
        Figure.DELIVERED_PERCENT: Bound(least=100),
        Figure.CLOSED: Bound(most=0),
    }


JOURNEYS = (
    # A little above the target: what is on its way at the edges is not to decide.
    RoomsJourney(
        name="rooms-unicast",
        load=RoomsLoad.SAY,
        options=_OFFERS | {"rate": 25_250},
        floor=True,
        quick=True,
        targets=_at_least(25_000),
    ),
    # Each is heard by nine.
    RoomsJourney(
        name="rooms-chat",
        load=RoomsLoad.SAY,
        options=_CHATS | {"rate": 5_050},
        floor=True,
        quick=True,
        targets=_at_least(45_000),
    ),
)
