"""One publisher, many readers, media in datagrams."""

from benchmarks.journey import Bound, Figure, Journey, Transport

__all__ = ["JOURNEYS"]

_WHOLE = {
    Figure.LOST: Bound(most=0),
    Figure.CLOSED: Bound(most=0),
    Figure.DELIVERED_PERCENT: Bound(least=99),
}

JOURNEYS = (
    Journey(name="rtsp-udp-50", readers=50, transport=Transport.UDP, targets=_WHOLE),
    Journey(
        name="rtsp-udp-200",
        readers=200,
        transport=Transport.UDP,
        quick=True,
        targets={Figure.CPU_S_PER_GB: Bound(most=1.8)} | _WHOLE,
    ),
)
