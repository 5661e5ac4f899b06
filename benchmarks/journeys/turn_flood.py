"""15,000 sources that never authenticate, while one client allocates again and again."""

from benchmarks.journey import Bound, Figure
from benchmarks.relay import RelayJourney, RelayLoad

__all__ = ["JOURNEYS"]

# What an allocator rounds up. A session for each source would be some hundred times this.
_NO_GROWTH_KIB = 1024

JOURNEYS = (
    RelayJourney(
        name="turn-flood",
        load=RelayLoad.FLOOD,
        options={"sources": 15_000, "rate": 5000},
        quick=True,
        targets={
            Figure.GROWTH_KIB: Bound(most=_NO_GROWTH_KIB),
            Figure.ANSWERED_PERCENT: Bound(least=99),
            Figure.SERVED_PERCENT: Bound(least=99),
        },
    ),
)
