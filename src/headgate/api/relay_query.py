"""What a request of the relay's dialect may ask with: addresses, transports, pages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import WithJsonSchema

from headgate.api.failure import BadRequest
from headgate.api.paging import Slice, page_of
from headgate.core.service import Endpoint

__all__ = [
    "Address",
    "Interface",
    "TransportNumber",
    "parse_endpoint",
    "parse_host",
    "parse_transport",
    "part_of",
]

T = TypeVar("T")

TEXT = WithJsonSchema({"type": "string"})
Address = Annotated[
    str | None,
    Query(description="The client's address and port: `192.0.2.7:50198`, `[2001:db8::7]:50198`."),
    TEXT,
]
Interface = Annotated[
    str | None,
    Query(description="Ours, with its port: as clients outside know it, or as it is bound."),
    TEXT,
]
TransportNumber = Annotated[
    str | None,
    Query(description="0 is UDP, 1 is TCP. Needed where the same address is used with both."),
    WithJsonSchema({"type": "integer", "enum": [0, 1]}),
]

ENDPOINT = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})", re.ASCII)


def parse_endpoint(text: str | None, *, name: str) -> Endpoint | None:
    """None: it was not given. IPv4 inside IPv6 is IPv4. Raises BadRequest."""
    if text is None:
        return None
    match = ENDPOINT.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise BadRequest(f"{name} is no address with a port")
    return Endpoint(parse_host(match[1] or match[2], name=name), int(match[3]))


def parse_host(text: str, *, name: str) -> str:
    """An IP literal as the registry prints it. Raises BadRequest."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{name} is no address") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def parse_transport(text: str | None) -> int | None:
    """Raises BadRequest."""
    if text is None:
        return None
    if text not in {"0", "1"}:
        raise BadRequest("transport is 0 (UDP) or 1 (TCP)")
    return int(text)


def part_of(everything: Sequence[T], *, page: str | None, items_per_page: str | None) -> Slice[T]:
    """As `page_of`, which has its error texts from another dialect. Raises BadRequest."""
    try:
        return page_of(everything, page=page, items_per_page=items_per_page)
    except BadRequest:
        raise BadRequest("page is a number from 0 on, itemsPerPage one from 1 on") from None
