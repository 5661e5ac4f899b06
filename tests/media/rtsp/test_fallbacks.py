"""What a source that has failed over UDP is tried over next."""

from __future__ import annotations

from headgate.media.rtsp.fallbacks import LIMIT, Fallbacks
from headgate.media.rtsp.transport import Lower

BOTH = (Lower.UDP, Lower.TCP)


def test_what_worked_comes_first_and_what_is_not_wanted_never() -> None:
    fallbacks = Fallbacks()
    assert fallbacks.ordered("cam", "rtsp://h/x", BOTH) == BOTH
    fallbacks.note("cam", "rtsp://h/x", worked=Lower.TCP)
    assert fallbacks.ordered("cam", "rtsp://h/x", BOTH) == (Lower.TCP, Lower.UDP)
    assert fallbacks.ordered("cam", "rtsp://h/y", BOTH) == BOTH, "another source"
    assert fallbacks.ordered("cam", "rtsp://h/x", (Lower.UDP,)) == (Lower.UDP,)
    fallbacks.note("cam", "rtsp://h/x", worked=Lower.UDP)
    assert fallbacks.ordered("cam", "rtsp://h/x", BOTH) == BOTH


def test_no_more_are_remembered_than_the_limit() -> None:
    fallbacks = Fallbacks()
    for number in range(LIMIT + 1):
        fallbacks.note(f"{number}", "rtsp://h/x", worked=Lower.TCP)
    assert len(fallbacks) == LIMIT
    assert fallbacks.ordered("0", "rtsp://h/x", BOTH) == BOTH
    assert fallbacks.ordered("1", "rtsp://h/x", BOTH)[0] is Lower.TCP
