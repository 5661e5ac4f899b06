"""Amounts of bytes as a configuration writes them: "50M". All units are powers of 1024 (media.md 2.3)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["Size", "SizeLimit", "format_limit", "format_size", "parse_size"]

UNITS = {"E": 1024**6, "P": 1024**5, "T": 1024**4, "G": 1024**3, "M": 1024**2, "K": 1024, "B": 1}
LARGEST = 2**64 - 1
NO_LIMIT = "0"
SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)([EPTGMK])?(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes. Needs a unit: B, K, KB or KiB, and so on to E. Raises ValueError."""
    match = SIZE.fullmatch(text.strip())
    if match is None or text.strip()[-1:].isdigit():
        raise ValueError(f"invalid size '{text[:64]}'; write it like 50M, 512K or 1.5G")
    size = int(Decimal(match[1]) * UNITS[(match[2] or "B").upper()])
    if not 0 < size <= LARGEST:
        raise ValueError(f"size '{text}' must be between 1B and 16E")
    return size


def format_size(size: int) -> str:
    """The largest unit that needs at most one decimal, so that nothing is lost: "50M", "1.5G", "1025B"."""
    for letter, unit in UNITS.items():
        if size >= unit and size * 10 % unit == 0:
            whole, tenths = divmod(size * 10 // unit, 10)
            return f"{whole}.{tenths}{letter}" if tenths else f"{whole}{letter}"
    return f"{size}B"


def _size(value: Any) -> int:
    if isinstance(value, str):
        return parse_size(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value  # from Python code; files, the environment and JSON carry text
    raise ValueError("a size is text like 50M")


def format_limit(size: int) -> str:
    """Of a `SizeLimit`."""
    return format_size(size) if size else NO_LIMIT


def _limit(value: Any) -> int:
    return 0 if value == NO_LIMIT else _size(value)


Size = Annotated[
    int,
    BeforeValidator(_size, json_schema_input_type=str),
    PlainSerializer(format_size, return_type=str),
]
"""Bytes in Python, text with a unit outside."""
SizeLimit = Annotated[
    int,
    BeforeValidator(_limit, json_schema_input_type=str),
    PlainSerializer(format_limit, return_type=str),
]
"""A `Size`, or 0, which needs no unit: no limit."""
