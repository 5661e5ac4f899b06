"""Bursts of one flow, as video and file transfers make them: packets for the CPU time."""

from benchmarks.journey import Bound, Figure
from benchmarks.relay import RelayJourney, RelayLoad

__all__ = ["JOURNEYS"]

# 625 bursts of 64 a second. The rate is what coturn can do on one CPU, so that nobody is measured dropping.
_BURSTS: dict[str, str | int] = {"towards": "peer", "sessions": 1, "rate": 40_000, "burst": 64, "size": 160}
_FIVEFOLD = {Figure.PACKETS_PER_CPU_MS: Bound(least=5, times_peer=True)}
_WHOLE = {Figure.DELIVERED_PERCENT: Bound(least=99.9)}

JOURNEYS = (
    # Receivers that take each datagram alone: the kernel takes segmented sends apart, in the sender's time.
    RelayJourney(
        name="turn-burst",
        floor=True,
        load=RelayLoad.RELAY,
        options=_BURSTS,
        quick=True,
        targets=_FIVEFOLD | _WHOLE,
    ),
    # Receivers that take runs whole, as network cards do the work instead.
    RelayJourney(
        name="turn-burst-coalesced",
        floor=True,
        load=RelayLoad.RELAY,
        options=_BURSTS | {"coalesced": "yes"},
        targets=_FIVEFOLD | _WHOLE,
    ),
)
