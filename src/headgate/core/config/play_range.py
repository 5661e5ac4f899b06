"""The Range that an RTSP source is asked to play from (RFC 2326 12.29, 3.5 to 3.7)."""

from __future__ import annotations

import re

from headgate.core.config.choices import RtspRangeType
from headgate.core.config.durations import parse_duration

__all__ = ["play_range"]

CLOCK = re.compile(r"\d{8}T\d{6}(?:\.\d+)?Z")
EVERYTHING = "npt=0-"
"""Sent where nothing is configured, too: Parrot's drones want it."""


def play_range(kind: RtspRangeType, start: str) -> str:
    """`start` is a duration for npt and smpte, 20251121T100000Z for clock. Raises ValueError."""
    match kind:
        case RtspRangeType.NONE:
            return EVERYTHING
        case RtspRangeType.CLOCK:
            if not CLOCK.fullmatch(start):
                raise ValueError(f"'{start}' is not a time such as 20251121T100000Z")
            return f"clock={start}-"
        case RtspRangeType.NPT:
            return f"npt={_seconds(start):.3f}".rstrip("0").rstrip(".") + "-"
        case RtspRangeType.SMPTE:
            minutes, seconds = divmod(int(_seconds(start)), 60)
            hours, minutes = divmod(minutes, 60)
            return f"smpte={hours:02}:{minutes:02}:{seconds:02}-"


def _seconds(start: str) -> float:
    seconds = parse_duration(start)
    if seconds < 0:
        raise ValueError(f"'{start}' is before the beginning")
    return seconds
