"""Pages and ids of the `/v3` dialect, with the error texts its clients know."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import WithJsonSchema

from headgate.api.failure import BadRequest

__all__ = ["ItemsPerPage", "PageNumber", "Slice", "page_of", "parse_uuid"]

T = TypeVar("T")

DEFAULT_ITEMS = 100
LARGEST = 2**31 - 1  # both are read as unsigned numbers of 31 bits

# They arrive as text, because a bad one is answered in the dialect's words and not in the framework's.
PageNumber = Annotated[
    str | None,
    Query(description="Counts from 0."),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST, "default": 0}),
]
ItemsPerPage = Annotated[
    str | None,
    Query(alias="itemsPerPage"),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST, "default": DEFAULT_ITEMS}),
]


class Slice(Generic[T]):
    """One page of everything, and how much everything is."""

    def __init__(self, everything: Sequence[T], *, page: int, size: int) -> None:
        self.items = everything[page * size : (page + 1) * size]
        self.item_count = len(everything)
        self.page_count = -(-len(everything) // size)


def page_of(everything: Sequence[T], *, page: str | None, items_per_page: str | None) -> Slice[T]:
    """Raises BadRequest. A page past the end is empty."""
    size = _parse_uint(items_per_page, default=DEFAULT_ITEMS)
    if size == 0:
        raise BadRequest("invalid items per page")
    return Slice(everything, page=_parse_uint(page, default=0), size=size)


def _parse_uint(text: str | None, *, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"strconv.ParseUint: parsing {json.dumps(text)}: invalid syntax")
    # Ten digits are enough to tell: Python refuses to read thousands of them.
    if len(digits := text.lstrip("0") or "0") > 10 or int(digits) > LARGEST:
        raise BadRequest(f"strconv.ParseUint: parsing {json.dumps(text)}: value out of range")
    return int(digits)


HEX = r"[0-9a-fA-F]"
CANONICAL = re.compile(rf"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}")
PLAIN = re.compile(rf"{HEX}{{32}}")


def parse_uuid(text: str) -> UUID:
    """Read the four usual spellings. Raises BadRequest."""
    match len(text):
        case 36:
            inner, form = text, CANONICAL
        case 38:  # {…}
            inner, form = text[1:-1], CANONICAL
        case 45 if text[:9].lower() == "urn:uuid:":
            inner, form = text[9:], CANONICAL
        case 32:
            inner, form = text, PLAIN
        case length:
            raise BadRequest(f"invalid UUID length: {length}")
    if not form.fullmatch(inner):
        raise BadRequest("invalid UUID format")
    return UUID(inner)
