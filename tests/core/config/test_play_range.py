from __future__ import annotations

import pytest

from headgate.core.config.choices import RtspRangeType
from headgate.core.config.play_range import play_range


@pytest.mark.parametrize(
    ("kind", "start", "expected"),
    [
        ("", "whatever", "npt=0-"),
        ("npt", "1m30.5s", "npt=90.5-"),
        ("npt", "0s", "npt=0-"),
        ("smpte", "1h2m3s", "smpte=01:02:03-"),
        ("clock", "20251121T100000Z", "clock=20251121T100000Z-"),
        ("clock", "20251121T100000.25Z", "clock=20251121T100000.25Z-"),
    ],
)
def test_ranges(kind: str, start: str, expected: str) -> None:
    assert play_range(RtspRangeType(kind), start) == expected


@pytest.mark.parametrize(
    ("kind", "start"),
    [("npt", "x"), ("npt", "-1s"), ("smpte", "12"), ("clock", ""), ("clock", "20251121T100000Z\r\nX: y")],
)
def test_what_is_no_start(kind: str, start: str) -> None:
    with pytest.raises(ValueError, match=r"duration|time|before"):
        play_range(RtspRangeType(kind), start)
