"""One publisher, many readers, media interleaved in the RTSP connection."""

from benchmarks.journey import Bound, Figure, Journey

__all__ = ["JOURNEYS"]

# Nobody is turned away and everything arrives. The window's edges cut a picture: 0.8 % of four seconds.
_WHOLE = {
    Figure.LOST: Bound(most=0),
    Figure.CLOSED: Bound(most=0),
    Figure.DELIVERED_PERCENT: Bound(least=99),
}
_SMALL = {Figure.KB_PER_READER: Bound(most=60)}
_FAST = {Figure.CPU_S_PER_GB: Bound(most=1.2), Figure.P99_MS: Bound(most=15)}

JOURNEYS = (
    Journey(name="rtsp-tcp-50", readers=50, quick=True, targets=_WHOLE),
    Journey(name="rtsp-tcp-200", readers=200, quick=True, targets=_FAST | _SMALL | _WHOLE),
    Journey(name="rtsp-tcp-500", readers=500, targets=_WHOLE),
    Journey(name="rtsp-tcp-1000", readers=1000, quick=True, targets=_SMALL | _WHOLE),
    Journey(name="rtsp-tcp-200-unpinned", readers=200, pinned=False, targets=_WHOLE),
)
