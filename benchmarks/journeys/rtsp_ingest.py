"""Many publishers and nobody reads: what taking a stream in costs."""

from benchmarks.journey import Bound, Figure, Journey

__all__ = ["JOURNEYS"]

JOURNEYS = (
    Journey(
        name="rtsp-ingest-100",
        readers=0,
        publishers=100,
        quick=True,
        targets={Figure.CPU_S_PER_GB: Bound(most=3)},
    ),
)
