"""The `/api/v1/applications` dialect: clients of an application, as Red5 Pro shows them.

An application is the first part of a path's name, the scope the rest of it.
"""

from __future__ import annotations

import hmac
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.documents import applications as document
from headgate.api.failure import APPLICATIONS, Unauthorised
from headgate.api.long_list import in_turns
from headgate.api.view import View, Viewed
from headgate.core.config.path_names import CATCH_ALL
from headgate.core.errors import NotFound
from headgate.core.session import CloseReason, Session, Totals

__all__ = ["router"]

NO_PING = -1

Scope = Annotated[str, Query(description="Only clients in this part of the application: the path below it.")]
AccessToken = Annotated[
    str,
    Query(
        alias="accessToken",
        description="The configuration's `applications.accessToken`; needed where that is not empty. "
        "`Authorization: Bearer …` does as well.",
    ),
]


async def _admit(view: Viewed, request: Request, access_token: AccessToken = "") -> None:
    """Before anything is looked up, so that a stranger learns no names. Raises Unauthorised."""
    expected = view.configuration().applications.access_token.encode()
    if not expected:
        return
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    # Both are compared, whatever the first gives: the time must not tell which was closer.
    in_query = hmac.compare_digest(access_token.encode(), expected)
    in_header = hmac.compare_digest(bearer.encode(), expected)
    if not (in_query or in_header):
        if access_token or bearer:
            await view.access.slow_down()
        raise Unauthorised("the access token is missing or wrong", challenge='Bearer realm="headgate"')


async def _place(application: str, scope: Scope = "") -> str:
    return "/".join(part for part in (application, scope.strip("/")) if part)


Place = Annotated[str, Depends(_place)]
"""The part of a path's name that all clients asked for have in common."""

router = APIRouter(prefix=APPLICATIONS, tags=["applications"], dependencies=[Depends(_admit)])


def _answers(model: object) -> dict[int | str, dict[str, Any]]:
    """What an operation may answer, for OpenAPI."""
    return {
        200: {"model": model},
        401: {"model": document.Failure, "description": "The token is missing or wrong."},
        404: {"model": document.Failure, "description": "No such application, scope or client."},
        500: {"model": document.Failure, "description": "A bug in the server; it was logged."},
    }


@router.get("/{application}/clients", operation_id="getClients", responses=_answers(document.ClientsAnswer))
async def list_clients(view: Viewed, place: Place) -> Response:
    """Every client of an application and its scopes, oldest first."""
    return _success([_client(session) for session in _clients(view, place)])


@router.get(
    "/{application}/clients/{id}",
    operation_id="getClientStatistics",
    responses=_answers(document.ClientStatisticsAnswer),
)
async def get_client(view: Viewed, place: Place, id: str) -> Response:
    """One client with its counters."""
    session = _member(view, place, id)
    return _success(_statistics(session, view.registry.totals([session])[0]))


@router.delete(
    "/{application}/clients/{id}", operation_id="terminateClient", responses=_answers(document.ClientAnswer)
)
async def terminate_client(view: Viewed, place: Place, id: str) -> Response:
    """End one client's session.

    When this answers, no dialect finds it any more.
    """
    session = _member(view, place, id)
    view.registry.close(session, CloseReason.KICKED)
    return _success(_client(session))


@router.delete(
    "/{application}/clients", operation_id="terminateClients", responses=_answers(document.EmptyAnswer)
)
async def terminate_clients(view: Viewed, place: Place) -> Response:
    """End the session of every client of an application or scope.

    Succeeds as well when nobody is there.
    """
    async for some in in_turns(_clients(view, place)):
        for session in some:
            view.registry.close(session, CloseReason.KICKED)
    return _success({})


# Who is where


def _inside(name: str | None, place: str) -> bool:
    return name is not None and (name == place or name.startswith(place + "/"))


def _clients(view: View, place: str) -> list[Session]:
    """Raises NotFound when no path is there, open or configured by its exact name, and nobody is."""
    clients = [session for session in view.registry.sessions() if _inside(session.target, place)]
    if (
        not clients
        and not any(_inside(path.name, place) for path in view.paths)
        and not any(_inside(name, place) for name in _exact_names(view))
    ):
        raise NotFound("no such application or scope")
    return clients


def _exact_names(view: View) -> list[str]:
    """The configured paths that are one path each, not a pattern."""
    return [name for name in view.configuration().paths if not name.startswith("~") and name not in CATCH_ALL]


def _member(view: View, place: str, id: str) -> Session:
    """Raises NotFound."""
    session = view.registry.by_code(id)
    if not _inside(session.target, place):
        raise NotFound("session not found")
    return session


# Documents


def _client(session: Session) -> document.Client:
    return {
        "id": session.id.code,
        "creation_time": int(session.created.timestamp() * 1000),
        "last_ping": NO_PING,
        "remote_address": session.remote.host,
    }


def _statistics(session: Session, totals: Totals) -> document.ClientStatistics:
    return {
        "path": session.target or "",
        "bytes_out": totals.bytes_received,
        "bytes_in": totals.bytes_sent,
        "messages_written": totals.packets_sent,
        "messages_read": totals.packets_received,
        "messages_dropped": totals.packets_discarded,
        "messages_pending": totals.packets_queued,
        "remote_port": session.remote.port,
        "connection_protocol": session.service.protocol.value,
        "host": session.local.host,
        **_client(session),
    }


def _success(data: object) -> Response:
    body = {"status": "success", "code": 200, "data": data, "timestamp": int(time.time() * 1000)}
    return Response(to_json(body), media_type="application/json")
