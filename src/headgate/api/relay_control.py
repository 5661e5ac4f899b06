"""`/relay`: what operators of a relay want beyond seed 000. Lists, users, credentials, an orderly end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import TypeAdapter, WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.body import read_object
from headgate.api.documents import relay as document
from headgate.api.entrance import ADMITTED
from headgate.api.failure import BadRequest
from headgate.api.long_list import in_turns, long_list
from headgate.api.paging import ItemsPerPage, PageNumber
from headgate.api.relay import BAD, BUG, TEXT, session_document, statistics_document
from headgate.api.relay_holder import holder
from headgate.api.relay_query import ENDPOINT, parse_endpoint, parse_host, part_of
from headgate.api.relay_route import Relayed, RelayRoute, answer, answered
from headgate.api.view import Viewed
from headgate.core.relay import Relay
from headgate.core.session import CloseReason, Session

__all__ = ["router"]

router = APIRouter(prefix="/relay", tags=["relay"], route_class=RelayRoute)

DEFAULT_TTL = 3600
LONGEST_TTL = 604_800  # a week; what the wing allows, too
SCHEMES = ("udp", "tcp", "tls", "dtls")
STRING = WithJsonSchema({"type": "string"})

UserFilter = Annotated[str | None, Query(description="Whom quotas count for; its exact name."), STRING]
AddressFilter = Annotated[
    str | None, Query(description="The client's address, with or without its port."), STRING
]
SchemeFilter = Annotated[
    str | None,
    Query(description="How clients come."),
    WithJsonSchema({"type": "string", "enum": list(SCHEMES)}),
]
STOPPING = {"description": "The whole server is stopping.", **TEXT}


@router.get(
    "/sessions",
    operation_id="relaySessions",
    responses={200: {"model": document.RelaySessions}, 400: BAD, 500: BUG},
)
async def list_sessions(
    view: Viewed,
    relay: Relayed,
    user: UserFilter = None,
    address: AddressFilter = None,
    transport: SchemeFilter = None,
    page: PageNumber = None,
    items_per_page: ItemsPerPage = None,
) -> Response:
    """Sessions with their statistics, oldest first."""
    found = _found(relay, user=user, address=address, transport=transport)
    part = part_of(found, page=page, items_per_page=items_per_page)

    def documents(sessions: Sequence[Session]) -> Iterator[document.SessionTraffic]:
        for session, moved in zip(sessions, view.registry.totals(sessions), strict=True):
            if (detail := relay.detail(session)) is not None:
                yield {**session_document(session, detail), **statistics_document(detail, moved)}

    items = await long_list(part.items, documents)
    counts: document.RelaySessions = {
        "itemCount": part.item_count,
        "pageCount": part.page_count,
        "items": [],
    }
    return answered(to_json(counts).removesuffix(b"[]}") + items + b"}")


@router.delete(
    "/sessions",
    operation_id="relayKillSessions",
    responses={200: {"model": document.Killed}, 400: BAD, 500: BUG},
)
async def kill_sessions(view: Viewed, relay: Relayed, user: UserFilter = None) -> Response:
    """End every session of one user.

    Needs `user`. Succeeds as well when there is none. Whoever still has a password may come back.
    """
    if user is None:
        raise BadRequest("user is missing")
    found = _found(relay, user=user, address=None, transport=None)
    async for some in in_turns(found):
        for session in some:
            view.registry.close(session, CloseReason.KICKED)
    body: document.Killed = {"sessions": len(found)}
    return answer(body)


@router.get(
    "/users", operation_id="relayUsers", responses={200: {"model": document.RelayUsers}, 400: BAD, 500: BUG}
)
async def list_users(
    view: Viewed,
    relay: Relayed,
    user: UserFilter = None,
    page: PageNumber = None,
    items_per_page: ItemsPerPage = None,
) -> Response:
    """Who has sessions, how many, and how many they may have; in the order of their names."""
    usage = relay.usage
    names = sorted(usage) if user is None else [name for name in (user,) if name in usage]
    part = part_of(names, page=page, items_per_page=items_per_page)
    wanted = set(part.items)
    sessions = [session for session in relay.sessions if session.user in wanted]
    received: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    async for some in in_turns(sessions):
        for session, totals in zip(some, view.registry.totals(some), strict=True):
            received[session.user or ""] += totals.bytes_received
            sent[session.user or ""] += totals.bytes_sent
    limits = relay.limits
    body: document.RelayUsers = {
        "itemCount": part.item_count,
        "pageCount": part.page_count,
        "items": [
            {
                "user": name,
                "sessions": usage[name],
                "limit": limits.allocations_per_user,
                "bytes_per_second": limits.bytes_per_second,
                "received_bytes": received[name],
                "send_bytes": sent[name],
            }
            for name in part.items
        ],
    }
    return answer(body)


# An orderly end


@router.get("/drain", operation_id="relayDrain", responses={200: {"model": document.Drain}, 500: BUG})
async def get_drain(relay: Relayed) -> Response:
    """Whether the relay takes nobody new, and how far it has come."""
    return answer(_drain(relay))


@router.post("/drain", operation_id="relayStartDrain", responses={200: {"model": document.Drain}, 500: BUG})
async def start_drain(relay: Relayed) -> Response:
    """Take no new allocations; those that live may be refreshed and go on.

    Clients are answered 508 and try another server, if they have one. Not kept over a restart.
    """
    relay.drain()
    return answer(_drain(relay))


@router.delete(
    "/drain",
    operation_id="relayStopDrain",
    responses={200: {"model": document.Drain}, 409: STOPPING, 500: BUG},
)
async def stop_drain(relay: Relayed) -> Response:
    """Take new allocations again."""
    relay.resume()
    return answer(_drain(relay))


def _drain(relay: Relay) -> document.Drain:
    drain = relay.draining
    return {
        "draining": drain is not None,
        "since": drain.since.isoformat() if drain is not None else None,
        "sessions_then": drain.sessions if drain is not None else None,
        "sessions": len(relay.sessions),
        "longest": int(relay.longest),
    }


# Credentials


@router.post(
    "/credentials",
    operation_id="relayMintCredential",
    responses={
        200: {"model": document.Credential},
        400: BAD,
        403: {"description": "For somebody else, and the permission is `relay`.", **TEXT},
        409: {"description": "There is no relay, or no shared secret to make one with.", **TEXT},
        500: BUG,
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": TypeAdapter(document.CredentialWish).json_schema()}},
        }
    },
)
async def mint(view: Viewed, relay: Relayed, request: Request) -> Response:
    """Make a time-limited credential with the first of `turn.authSecrets`.

    The body is `{"user": "…", "ttl": 3600}`; either key may be left out. The password is shown
    once, and logged nowhere. Who has the permission `relay` and not `api` gets one for themselves,
    and for no longer than their token is good.
    """
    try:
        wish = await read_object(request)
    except BadRequest as error:
        raise BadRequest(f'the body is JSON like {{"user": "ann", "ttl": 3600}}: {error}') from None
    user, ttl = _wish(wish)
    user, ttl = await holder(view.access, request.scope[ADMITTED], user=user, ttl=ttl)
    try:
        made = relay.mint(user=user, ttl=ttl)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    body: document.Credential = {
        "username": made.name,
        "password": made.password,
        "ttl": int(made.ttl),
        "uris": list(made.urls),
        "expires_at": int(time.time()) + int(made.ttl),
        "realm": relay.realm,
    }
    return answer(body, headers={"cache-control": "no-store"})


def _wish(wish: dict[str, Any]) -> tuple[str, int]:
    """Raises BadRequest."""
    for key in wish:
        if key not in {"user", "ttl"}:
            raise BadRequest("unknown key; there are user and ttl")
    user, ttl = wish.get("user", ""), wish.get("ttl", DEFAULT_TTL)
    if not isinstance(user, str):
        raise BadRequest("user is text")
    if not isinstance(ttl, int) or isinstance(ttl, bool) or not 1 <= ttl <= LONGEST_TTL:
        raise BadRequest(f"ttl is a number of seconds from 1 to {LONGEST_TTL}")
    return user, ttl


# Who is meant


def _found(relay: Relay, *, user: str | None, address: str | None, transport: str | None) -> list[Session]:
    """Raises BadRequest."""
    found = list(relay.sessions)
    if address is not None and ENDPOINT.fullmatch(address):
        client = parse_endpoint(address, name="address")
        found = list(relay.of_client(client)) if client is not None else []
    elif address is not None:
        host = parse_host(address, name="address")
        found = [session for session in found if session.remote.host == host]
    if user is not None:
        found = [session for session in found if session.user == user]
    if transport is not None:
        if transport not in SCHEMES:
            raise BadRequest(f"transport is one of {', '.join(SCHEMES)}")
        found = [session for session in found if session.transport == transport.upper()]
    return found
