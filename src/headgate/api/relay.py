"""The relay's dialect: `/info`, `/session` and `/session/statistics`, as turn-rs 3.4 has them (seed 000)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from headgate.api.documents import relay as document
from headgate.api.failure import BadRequest
from headgate.api.long_list import long_list
from headgate.api.paging import ItemsPerPage, PageNumber
from headgate.api.relay_query import (
    Address,
    Interface,
    TransportNumber,
    parse_endpoint,
    parse_transport,
    part_of,
)
from headgate.api.relay_route import Ambiguous, Relayed, RelayRoute, answer, answered
from headgate.api.view import Viewed
from headgate.core.errors import NotFound
from headgate.core.relay import Relay, RelayDetail, RelayInterface
from headgate.core.session import CloseReason, Session, Totals

__all__ = ["TRANSPORTS", "router", "session_document", "statistics_document"]

LARGEST_COUNT = 65_535  # the seed's uint16
LARGEST_TIME = 2**32 - 1  # its uint32
TRANSPORTS = {"UDP": 0, "TCP": 1, "TLS": 1, "DTLS": 0}

router = APIRouter(tags=["relay"], route_class=RelayRoute)

TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
BAD = {"description": "A parameter is missing or cannot be understood.", **TEXT}
MISSING = {"description": "No such session. The body is empty."}
AMBIGUOUS = {"description": "More than one session fits: say `transport` too.", **TEXT}
BUG = {"description": "A bug in the server; it was logged.", **TEXT}
HEADERS = {
    "X-Total-Count": {"description": "Sessions on all pages.", "schema": {"type": "integer"}},
}


@router.get("/info", operation_id="relayInfo", responses={200: {"model": document.Info}, 500: BUG})
async def info(view: Viewed, relay: Relayed) -> Response:
    """The relay itself: where it listens, how long it runs, and how full it is."""
    body: document.Info = {
        "software": f"headgate.{view.version}",
        "uptime": int((datetime.now(UTC) - view.started).total_seconds()),
        "port_allocated": min(relay.ports_taken, LARGEST_COUNT),
        "port_capacity": min(relay.ports_capacity, LARGEST_COUNT),
        "interfaces": [_interface(one) for one in relay.interfaces],
    }
    return answer(body)


@router.get(
    "/session",
    operation_id="relaySession",
    responses={
        200: {"model": list[document.RelaySession], "headers": HEADERS},
        400: BAD,
        404: {"description": "Both are given, and nobody is there. The body is empty."},
        409: AMBIGUOUS,
        500: BUG,
    },
)
async def get_session(
    relay: Relayed,
    address: Address = None,
    interface: Interface = None,
    transport: TransportNumber = None,
    page: PageNumber = None,
    items_per_page: ItemsPerPage = None,
) -> Response:
    """Sessions, oldest first: all of them, those of a client, or the one of a client at an interface.

    Always an array. With both `address` and `interface` it has one session, or the answer is 404.
    """
    found = _found(relay, address=address, interface=interface, transport=transport)
    if address is not None and interface is not None:
        found = [_only(found)]
    part = part_of(found, page=page, items_per_page=items_per_page)

    def documents(sessions: Sequence[Session]) -> Iterator[document.RelaySession]:
        for session in sessions:
            if (detail := relay.detail(session)) is not None:
                yield session_document(session, detail)

    body = await long_list(part.items, documents)
    return answered(body, headers={"x-total-count": str(part.item_count)})


@router.get(
    "/session/statistics",
    operation_id="relaySessionStatistics",
    responses={200: {"model": document.Statistics}, 400: BAD, 404: MISSING, 409: AMBIGUOUS, 500: BUG},
)
async def get_statistics(
    view: Viewed,
    relay: Relayed,
    address: Address = None,
    interface: Interface = None,
    transport: TransportNumber = None,
) -> Response:
    """What one session has moved since it began.

    Needs `address` and `interface`. The numbers never go back.
    """
    session = _one(relay, address=address, interface=interface, transport=transport)
    detail = relay.detail(session)
    if detail is None:
        raise NotFound("session not found")
    return answer(statistics_document(detail, view.registry.totals([session])[0]))


@router.delete(
    "/session",
    operation_id="relayDeleteSession",
    response_class=Response,
    responses={
        200: {"description": "It is gone, and its client's connection with it."},
        400: BAD,
        404: MISSING,
        409: AMBIGUOUS,
        500: BUG,
    },
)
async def delete_session(
    view: Viewed,
    relay: Relayed,
    address: Address = None,
    interface: Interface = None,
    transport: TransportNumber = None,
) -> Response:
    """End one session: its ports, its routes both ways, and a TCP or TLS connection that it came by.

    Needs `address` and `interface`.
    """
    session = _one(relay, address=address, interface=interface, transport=transport)
    view.registry.close(session, CloseReason.KICKED)
    return Response()


# Who is meant


def _found(
    relay: Relay, *, address: str | None, interface: str | None, transport: str | None
) -> Sequence[Session]:
    """Raises BadRequest."""
    client = parse_endpoint(address, name="address")
    ours = parse_endpoint(interface, name="interface")
    number = parse_transport(transport)
    found = relay.sessions if client is None else relay.of_client(client)
    if ours is not None:
        found = [session for session in found if relay.is_at(session, ours)]
    if number is not None:
        found = [session for session in found if TRANSPORTS.get(session.transport or "") == number]
    return found


def _only(found: Sequence[Session]) -> Session:
    """Raises NotFound, Ambiguous."""
    if not found:
        raise NotFound("session not found")
    if len(found) > 1:
        raise Ambiguous("more than one session fits: say transport=0 (UDP) or transport=1 (TCP) too")
    return found[0]


def _one(relay: Relay, *, address: str | None, interface: str | None, transport: str | None) -> Session:
    """Raises BadRequest, NotFound, Ambiguous."""
    for name, text in (("address", address), ("interface", interface)):
        if text is None:
            raise BadRequest(f"{name} is missing")
    return _only(_found(relay, address=address, interface=interface, transport=transport))


# Documents


def _interface(one: RelayInterface) -> document.Interface:
    return {
        "transport": _number(one.transport),
        "bind": str(one.bind),
        "external": str(one.external),
        "scheme": _scheme(one.transport),
    }


def session_document(session: Session, detail: RelayDetail) -> document.RelaySession:
    named = [one.address.port for one in detail.permissions] + [one.peer.port for one in detail.channels]
    expires = min(int(detail.expires), LARGEST_TIME)
    return {
        "address": str(session.remote),
        "username": detail.name,
        "channels": [one.number for one in detail.channels],
        "port": detail.relayed[0].port,
        "expires": expires,
        "permissions": list(dict.fromkeys(named)),
        "interface": str(detail.interface),
        "transport": _number(detail.transport),
        "scheme": _scheme(detail.transport),
        "user": session.user or "",
        "relayed": [str(one) for one in detail.relayed],
        "expires_at": int(time.time()) + expires,
        "peers": [{"peer": str(one.address), "expires": int(one.expires)} for one in detail.permissions],
        "bindings": [
            {"channel": one.number, "peer": str(one.peer), "expires": int(one.expires)}
            for one in detail.channels
        ],
        "id": str(session.id.number),
    }


def statistics_document(detail: RelayDetail, totals: Totals) -> document.Statistics:
    return {
        "received_bytes": totals.bytes_received,
        "send_bytes": totals.bytes_sent,
        "received_pkts": totals.packets_received,
        "send_pkts": totals.packets_sent,
        "error_pkts": detail.errors,
    }


def _number(transport: str) -> Any:
    """0 or 1; mypy does not see the literals."""
    return TRANSPORTS[transport]


def _scheme(transport: str) -> Any:
    return transport.lower()
