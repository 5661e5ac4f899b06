"""One reader stops reading; the figures are those of the others."""

from benchmarks.journey import Bound, Figure, Journey

__all__ = ["JOURNEYS"]

JOURNEYS = (
    Journey(
        name="rtsp-tcp-50-one-stuck",
        readers=50,
        stalled=1,
        # Servers give a blocked write 10 s (writeTimeout); the ending is part of what must not be felt.
        least_seconds=20,
        targets={
            Figure.P99_MS: Bound(most=15),
            Figure.LOST: Bound(most=0),
            Figure.CLOSED: Bound(most=0),
            Figure.DELIVERED_PERCENT: Bound(least=99),
        },
    ),
)
