"""Lengths of time as a configuration writes them: "10s", "1h30m", "200ms", and days in front, "1d12h".

The form is that of Go's time.ParseDuration with a leading day part (media.md 2.3).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["Duration", "format_duration", "parse_duration"]

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign U+00B5
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
DAY = 86_400_000_000_000
LONGEST = 2**63 - 1  # nanoseconds; Go's limit, 292 years
TEXT_LIMIT = 64  # characters; the longest sensible one has about 30

DAYS = re.compile(r"(-?)([0-9]+)d")
PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds. The empty text is zero, as it is printed. Raises ValueError."""
    nanoseconds = _nanoseconds(text) if len(text) <= TEXT_LIMIT else None
    if nanoseconds is None:
        raise ValueError(f"invalid duration '{text[:TEXT_LIMIT]}'; write it like 10s, 1m30s, 200ms or 1d")
    if abs(nanoseconds) > LONGEST:
        raise ValueError(f"duration '{text}' is too long")
    return nanoseconds / 1e9


def format_duration(seconds: float) -> str:
    """The text MediaMTX prints: 60.0 is "1m0s", 86400.0 is "1d" and zero is the empty text."""
    nanoseconds = round(seconds * 1e9)
    sign = "-" if nanoseconds < 0 else ""
    days, rest = divmod(abs(nanoseconds), DAY)
    return sign + (f"{days}d" if days else "") + (_clock(rest) if rest else "")


def _nanoseconds(text: str) -> int | None:
    sign, total, rest = 1, 0, text
    if days := DAYS.match(text):
        # Go applies the sign of the day part to the whole.
        sign = -1 if days[1] else 1
        total = int(days[2]) * DAY
        rest = text[days.end() :]
    elif text[:1] in {"+", "-"}:
        sign = -1 if text[0] == "-" else 1
        rest = text[1:]
        if not rest:
            return None
    if rest == "0":
        return sign * total
    position = 0
    while position < len(rest):
        part = PART.match(rest, position)
        if part is None:
            return None
        whole, _, fraction = part[1].partition(".")
        unit = NANOSECONDS[part[2]]
        total += int(whole or "0") * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
        position = part.end()
    return sign * total


def _clock(nanoseconds: int) -> str:
    if nanoseconds < NANOSECONDS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if nanoseconds >= NANOSECONDS[unit])
        return _decimal(nanoseconds, unit)
    minutes, rest = divmod(nanoseconds, NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    if hours or minutes:
        text += f"{minutes}m"
    return text + _decimal(rest, "s")


def _decimal(nanoseconds: int, unit: str) -> str:
    whole, fraction = divmod(nanoseconds, NANOSECONDS[unit])
    digits = f"{fraction:0{len(str(NANOSECONDS[unit])) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}{unit}" if digits else f"{whole}{unit}"


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)  # from Python code; files, the environment and JSON carry text
    raise ValueError("a duration is text like 10s, 1m30s or 1d")


Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
"""Seconds in Python, Go's text outside."""
