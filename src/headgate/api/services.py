"""The `/v1` dialect: sessions and services as JSON:API resources, as MaxScale shows them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.documents import services as document
from headgate.api.failure import SERVICES, failure
from headgate.api.long_list import in_turns, long_list
from headgate.api.view import View, Viewed
from headgate.core.errors import NotFound
from headgate.core.service import ListenerAddress, Service
from headgate.core.session import CloseReason, Session, SessionState, Totals

__all__ = ["router"]

SESSION_STATES = {
    SessionState.NEW: "Session Allocated",
    SessionState.ACTIVE: "Session ready for routing",
    SessionState.DRAINING: "Stopping session",
    SessionState.CLOSED: "Freed session",
}
LISTENER_STATE = "Listener Session"
INDENT = 4
PRETTY = "true"
LARGEST_NUMBER_LENGTH = 19  # of a 64-bit number; Python refuses to read thousands of digits

Pretty = Annotated[
    str | None,
    Query(description='"true" indents the answer; anything else does not.'),
    WithJsonSchema({"type": "boolean", "default": False}),
]

router = APIRouter(prefix=SERVICES, tags=["services"])


def _answers(model: object, *, missing: str | None = None) -> dict[int | str, dict[str, Any]]:
    """What an operation may answer, for OpenAPI."""
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": model},
        500: {"model": document.Errors, "description": "A bug in the server; it was logged."},
    }
    if missing:
        answers[404] = {"description": f"{missing} The body is empty."}
    return answers


@router.get("", operation_id="ping", response_class=Response, responses={200: {"description": "Alive."}})
async def ping() -> Response:
    """Whether anybody is here."""
    return Response()


# Sessions


@router.get("/sessions", operation_id="listSessions", responses=_answers(document.SessionCollection))
async def list_sessions(view: Viewed, request: Request, pretty: Pretty = None) -> Response:
    """Every session, and every listener of every service, oldest first."""
    root = _root(request)
    listeners = {
        listener.number: (listener, service)
        for service in view.registry.services
        for listener in service.listeners
    }
    everyone = {session.id.number: session for session in view.registry.sessions()}

    def resources(numbers: Sequence[int]) -> Iterator[document.SessionResource]:
        sessions = [everyone[number] for number in numbers if number in everyone]
        totals = dict(zip(sessions, view.registry.totals(sessions), strict=True))
        for number in numbers:
            if (found := listeners.get(number)) is not None:
                yield _listener_resource(*found, root=root)
            elif (session := everyone[number]).state is not SessionState.CLOSED:
                yield _session_resource(session, totals[session], root=root)

    numbers = sorted(listeners.keys() | everyone.keys())
    body: document.SessionCollection = {"links": {"self": f"{root}/sessions/"}, "data": []}
    if pretty == PRETTY:
        async for some in in_turns(numbers):
            body["data"] += resources(some)
        return _json(body, pretty=pretty)
    head = to_json(body).removesuffix(b"[]}")
    return Response(head + await long_list(numbers, resources) + b"}", media_type="application/json")


@router.get(
    "/sessions/{id}",
    operation_id="getSession",
    responses=_answers(document.SessionDocument, missing="No such session."),
)
async def get_session(view: Viewed, request: Request, id: str, pretty: Pretty = None) -> Response:
    """One session or listener, by its number.

    A session is found by its UUID and its 13-character code as well.
    """
    root = _root(request)
    if found := _listener(view, id):
        resource = _listener_resource(*found, root=root)
    else:
        session = _session(view, id)
        resource = _session_resource(session, view.registry.totals([session])[0], root=root)
    body: document.SessionDocument = {"links": {"self": resource["links"]["self"]}, "data": resource}
    return _json(body, pretty=pretty)


@router.delete(
    "/sessions/{id}",
    operation_id="killSession",
    status_code=204,
    response_class=Response,
    responses={
        403: {"model": document.Errors, "description": "A listener cannot be killed."},
        404: {"description": "No such session. The body is empty."},
        500: {"model": document.Errors, "description": "A bug in the server; it was logged."},
    },
)
async def kill_session(view: Viewed, request: Request, id: str) -> Response:
    """End one session.

    When this answers, no dialect finds it any more.
    """
    if _listener(view, id):
        detail = "a listener session ends with its service"
        return failure(request.url.path, status=403, detail=detail)
    view.registry.close(_session(view, id), CloseReason.KICKED)
    return Response(status_code=204)


def _listener(view: View, id: str) -> tuple[ListenerAddress, Service] | None:
    for service in view.registry.services:
        for listener in service.listeners:
            if str(listener.number) == id:
                return listener, service
    return None


def _session(view: View, id: str) -> Session:
    """Raises NotFound."""
    if id.isascii() and id.isdigit() and len(id) <= LARGEST_NUMBER_LENGTH:
        return view.registry.by_number(int(id))
    try:
        return view.registry.by_uuid(UUID(id))
    except ValueError:
        return view.registry.by_code(id)


def _listener_resource(listener: ListenerAddress, service: Service, *, root: str) -> document.SessionResource:
    attributes: document.SessionAttributes = {
        "state": LISTENER_STATE,
        "connected": _asctime(listener.opened),
        "port": listener.endpoint.port,
        "protocol": service.protocol.value,
        "transport": listener.transport,
    }
    return _resource(listener.number, service, attributes, root=root)


def _session_resource(session: Session, totals: Totals, *, root: str) -> document.SessionResource:
    attributes: document.SessionAttributes = {
        "state": SESSION_STATES[session.state],
        "connected": _asctime(session.created),
        "remote": session.remote.host,
        "port": session.remote.port,
        "protocol": session.service.protocol.value,
        "transport": session.transport,
        "role": session.role.value,
        "target": session.target,
        "uuid": session.id.uuid,
        "code": session.id.code,
        "user_agent": session.user_agent,
        "idle": round(totals.idle_s, 1),
        "seconds_alive": round((datetime.now(UTC) - session.created).total_seconds(), 1),
        "bytes_received": totals.bytes_received,
        "bytes_sent": totals.bytes_sent,
        "packets_received": totals.packets_received,
        "packets_sent": totals.packets_sent,
        "packets_lost": totals.packets_lost,
        "packets_discarded": totals.packets_discarded,
    }
    if session.user is not None:
        attributes["user"] = session.user
    return _resource(session.id.number, session.service, attributes, root=root)


def _resource(
    number: int, service: Service, attributes: document.SessionAttributes, *, root: str
) -> document.SessionResource:
    return {
        "id": str(number),
        "type": "sessions",
        "relationships": {
            "services": {
                "links": {"self": f"{root}/services/"},
                "data": [{"id": service.name, "type": "services"}],
            }
        },
        "attributes": attributes,
        "links": {"self": f"{root}/sessions/{number}"},
    }


# Services


@router.get("/services", operation_id="listServices", responses=_answers(document.ServiceCollection))
async def list_services(view: Viewed, request: Request, pretty: Pretty = None) -> Response:
    """Every service that runs."""
    root = _root(request)
    body: document.ServiceCollection = {
        "links": {"self": f"{root}/services/"},
        "data": [_service_resource(service, root=root) for service in view.registry.services],
    }
    return _json(body, pretty=pretty)


@router.get(
    "/services/{id}",
    operation_id="getService",
    responses=_answers(document.ServiceDocument, missing="No such service."),
)
async def get_service(view: Viewed, request: Request, id: str, pretty: Pretty = None) -> Response:
    """One service by its name.

    Case does not matter.
    """
    resource = _service_resource(_service(view.registry.services, id), root=_root(request))
    body: document.ServiceDocument = {"links": {"self": resource["links"]["self"]}, "data": resource}
    return _json(body, pretty=pretty)


def _service(services: Sequence[Service], id: str) -> Service:
    for service in services:
        if service.name.casefold() == id.casefold():
            return service
    raise NotFound("service not found")


def _service_resource(service: Service, *, root: str) -> document.ServiceResource:
    return {
        "id": service.name,
        "type": "services",
        "relationships": {},
        "attributes": {
            "router": service.router,
            "state": "Started",
            "started": _asctime(service.started),
            "total_connections": service.total_sessions,
            "connections": service.sessions,
            "statistics": {
                "connections": service.sessions,
                "total_connections": service.total_sessions,
            },
            "protocol": service.protocol.value,
            "listeners": [_listener_of(service, listener) for listener in service.listeners],
        },
        "links": {"self": f"{root}/services/{service.name}"},
    }


def _listener_of(service: Service, listener: ListenerAddress) -> document.Listener:
    return {
        "id": str(listener.number),
        "type": "listeners",
        "attributes": {
            "parameters": {
                "address": listener.endpoint.host,
                "port": listener.endpoint.port,
                "protocol": service.protocol.value,
                "transport": listener.transport,
            }
        },
    }


# The form of everything


def _root(request: Request) -> str:
    """What links begin with: this server as the client called it."""
    return f"{request.url.scheme}://{request.url.netloc}{SERVICES}"


def _json(body: object, *, pretty: str | None) -> Response:
    text = to_json(body, indent=INDENT if pretty == PRETTY else None)
    return Response(text, media_type="application/json")


def _asctime(when: datetime) -> str:
    # time.asctime is the same in every locale; strftime is not.
    return time.asctime(when.astimezone().timetuple())
