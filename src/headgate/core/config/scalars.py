"""Yes or no, whole and real numbers: as YAML text, as environment text and as JSON values."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

__all__ = ["HttpEncryption", "Natural", "Port", "Real", "Switch", "Whole"]

YES = frozenset({"yes", "true", "on"})
NO = frozenset({"no", "false", "off"})
WHOLE = re.compile(r"[+-]?[0-9]{1,10}")
LARGEST = 2**31 - 1  # what MediaMTX can hold


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else None
    if word in YES or word in NO:
        return word in YES
    raise ValueError(f"must be yes or no, not {_quote(value)}")


def _http_encryption(value: Any) -> bool:
    if value == "optional":
        raise ValueError("invalid encryption: 'optional' (an HTTP listener is either encrypted or not)")
    return True if value == "strict" else _switch(value)


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and WHOLE.fullmatch(value):
        number = int(value)
    else:
        raise ValueError(f"must be a whole number, not {_quote(value)}")
    if abs(number) > LARGEST:
        raise ValueError(f"must be a number of at most 32 bits, not {_quote(value)}")
    return number


def _real(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"must be a number, not {_quote(value)}")


def _shortest(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def _quote(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"'{str(value)[:64]}'"


Switch = Annotated[bool, BeforeValidator(_switch)]
HttpEncryption = Annotated[bool, BeforeValidator(_http_encryption)]
"""A switch that takes the words of `Encryption` too, where they have a meaning."""
Whole = Annotated[int, BeforeValidator(_whole)]
Natural = Annotated[Whole, Field(ge=0)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
Real = Annotated[
    float,
    BeforeValidator(_real),
    Field(allow_inf_nan=False),
    PlainSerializer(_shortest, return_type=int | float),
]
