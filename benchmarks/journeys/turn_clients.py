"""From one client to another, both with an allocation: what a delivered message costs."""

from benchmarks.journey import Bound, Figure
from benchmarks.relay import RelayJourney, RelayLoad

__all__ = ["JOURNEYS"]

_PAIRS: dict[str, str | int] = {"towards": "client", "sessions": 20, "rate": 1000, "size": 160}
_WHOLE = {Figure.DELIVERED_PERCENT: Bound(least=99.9)}
_NO_SLOWER = {Figure.P50_US: Bound(most=1, times_peer=True)}

JOURNEYS = (
    RelayJourney(
        name="turn-clients",
        floor=True,
        load=RelayLoad.RELAY,
        options=_PAIRS,
        quick=True,
        targets={Figure.US_PER_PACKET: Bound(most=5)} | _NO_SLOWER | _WHOLE,
    ),
    RelayJourney(
        name="turn-clients-send", load=RelayLoad.RELAY, options=_PAIRS | {"carry": "send"}, targets=_WHOLE
    ),
)
