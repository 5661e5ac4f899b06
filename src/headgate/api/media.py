"""The `/v3` dialect: paths, RTSP connections and sessions, and the configuration, as MediaMTX shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import TypedDict

from headgate.api import view as shape
from headgate.api.documents import media as document
from headgate.api.failure import MEDIA, BadRequest
from headgate.api.paging import ItemsPerPage, PageNumber, Slice, page_of, parse_uuid
from headgate.api.view import Viewed
from headgate.core.config import GlobalConf, PathConf
from headgate.core.config.secrets import redacted
from headgate.core.errors import NotFound
from headgate.core.service import Protocol
from headgate.core.session import CloseReason, Role, Session, Totals

__all__ = ["router"]

STATES: dict[Role, Literal["idle", "read", "publish"]] = {
    Role.IDLE: "idle",
    Role.READ: "read",
    Role.PUBLISH: "publish",
}
SESSION_TYPES: dict[Protocol, Literal["rtspSession", "rtspsSession"]] = {
    Protocol.RTSP: "rtspSession",
    Protocol.RTSPS: "rtspsSession",
}

KICKED = "Closes its connection too. When this answers, no dialect finds the session any more."

REDIRECTED: document.PathSource = {"type": "redirect", "id": ""}
"""Of a path that sends its readers elsewhere, as MediaMTX says it."""

T = TypeVar("T")

router = APIRouter(prefix=MEDIA, tags=["media"])


class PathConfList(TypedDict):
    pageCount: int
    itemCount: int
    items: list[PathConf]


def _answers(model: object, *, missing: str | None = None) -> dict[int | str, dict[str, Any]]:
    """What an operation may answer, for OpenAPI."""
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": model},
        400: {"model": document.Error, "description": "A parameter is not valid."},
        500: {"model": document.Error, "description": "A bug in the server; it was logged."},
    }
    if missing:
        answers[404] = {"model": document.Error, "description": missing}
    return answers


# Paths


@router.get("/paths/list", operation_id="pathsList", responses=_answers(document.PathList))
async def list_paths(view: Viewed, page: PageNumber = None, items_per_page: ItemsPerPage = None) -> Response:
    """Every path that exists now, by name."""
    return _page(_paths, view, page_of(list(view.paths), page=page, items_per_page=items_per_page))


@router.get(
    "/paths/get/{name:path}",
    operation_id="pathsGet",
    responses=_answers(document.Path, missing="path not found"),
)
async def get_path(view: Viewed, name: str) -> Response:
    """One path.

    Names may contain slashes.
    """
    path = view.paths.get(_name(name))
    if path is None:
        raise NotFound("path not found")
    return _json(_paths(view, [path])[0])


def _paths(view: shape.View, paths: Sequence[shape.Path]) -> list[document.Path]:
    streams = [path.stream for path in paths if path.stream is not None]
    counters = dict(zip(streams, view.engine.counters(streams), strict=True))
    documents: list[document.Path] = []
    for path in paths:
        ready, stream = path.ready_time, path.stream
        totals = None if stream is None else counters[stream]
        documents.append(
            {
                "name": path.name,
                "confName": path.conf_name,
                "source": REDIRECTED if path.redirects else _party(path.source),
                "ready": ready is not None,
                "readyTime": ready,
                "tracks": [] if ready is None else list(path.tracks),
                "bytesReceived": 0 if totals is None else totals.bytes_received,
                "bytesSent": 0 if totals is None else totals.bytes_sent,
                "readers": [
                    {"type": SESSION_TYPES[reader.service.protocol], "id": reader.id.uuid}
                    for reader in path.readers
                ],
            }
        )
    return documents


def _party(session: Session | None) -> document.PathSource | None:
    if session is None:
        return None
    pulled = session.kind == "rtspSource"
    kind: document.SourceType = "rtspSource" if pulled else SESSION_TYPES[session.service.protocol]
    return {"type": kind, "id": session.id.uuid}


# RTSP and RTSPS


def _rtsp_calls(protocol: Protocol) -> APIRouter:
    """The five calls on one protocol's connections and sessions; unknown routes while it is off."""
    name = protocol.value
    label = protocol.value.upper()

    async def require_on(view: Viewed) -> None:
        if protocol not in view.connections:
            raise HTTPException(404)

    calls = APIRouter(prefix=MEDIA, tags=["media"], dependencies=[Depends(require_on)])
    off = f"{label} is off (answered as text), or there is no such thing."

    @calls.get(
        f"/{name}conns/list",
        operation_id=f"{name}ConnsList",
        description=f"Every {label} connection, oldest first.",
        responses=_answers(document.RTSPConnList, missing=off),
    )
    async def list_connections(
        view: Viewed, page: PageNumber = None, items_per_page: ItemsPerPage = None
    ) -> Response:
        everyone = list(view.connections[protocol].values())
        return _page(_connections, view, page_of(everyone, page=page, items_per_page=items_per_page))

    @calls.get(
        f"/{name}conns/get/{{id}}",
        operation_id=f"{name}ConnectionsGet",
        description=f"One {label} connection.",
        responses=_answers(document.RTSPConn, missing=off),
    )
    async def get_connection(view: Viewed, id: str) -> Response:
        connection = view.connections[protocol].get(parse_uuid(id))
        if connection is None:
            raise NotFound("connection not found")
        return _json(_connections(view, [connection])[0])

    @calls.get(
        f"/{name}sessions/list",
        operation_id=f"{name}SessionsList",
        description=f"Every {label} session, oldest first.",
        responses=_answers(document.RTSPSessionList, missing=off),
    )
    async def list_sessions(
        view: Viewed, page: PageNumber = None, items_per_page: ItemsPerPage = None
    ) -> Response:
        everyone = [s for s in view.registry.sessions() if s.service.protocol is protocol]
        return _page(_sessions, view, page_of(everyone, page=page, items_per_page=items_per_page))

    @calls.get(
        f"/{name}sessions/get/{{id}}",
        operation_id=f"{name}SessionsGet",
        description=f"One {label} session.",
        responses=_answers(document.RTSPSession, missing=off),
    )
    async def get_session(view: Viewed, id: str) -> Response:
        return _json(_sessions(view, [_session(view, parse_uuid(id), protocol=protocol)])[0])

    @calls.post(
        f"/{name}sessions/kick/{{id}}",
        operation_id=f"{name}SessionsKick",
        description=f"End one {label} session.\n\n{KICKED}",
        responses=_answers(document.Ok, missing=off),
    )
    async def kick_session(view: Viewed, id: str) -> Response:
        view.registry.close(_session(view, parse_uuid(id), protocol=protocol), CloseReason.KICKED)
        return _json(document.Ok(status="ok"))

    return calls


router.routes.extend(_rtsp_calls(Protocol.RTSP).routes)
router.routes.extend(_rtsp_calls(Protocol.RTSPS).routes)


def _connections(view: shape.View, connections: Sequence[shape.Connection]) -> list[document.RTSPConn]:
    counters = view.engine.counters([connection.handle for connection in connections])
    return [
        {
            "id": connection.uuid,
            "created": connection.created,
            "remoteAddr": str(connection.remote),
            "bytesReceived": 0 if totals is None else totals.bytes_received,
            "bytesSent": 0 if totals is None else totals.bytes_sent,
            "session": None if connection.session is None else connection.session.id.uuid,
            "framesRefused": 0 if totals is None else totals.frames_refused,
            "tunnel": connection.tunnel,
        }
        for connection, totals in zip(connections, counters, strict=True)
    ]


def _session(view: shape.View, id: UUID, *, protocol: Protocol) -> Session:
    session = view.registry.by_uuid(id)
    if session.service.protocol is not protocol:
        raise NotFound("session not found")
    return session


def _sessions(view: shape.View, sessions: Sequence[Session]) -> list[document.RTSPSession]:
    return [
        _session_document(session, totals)
        for session, totals in zip(sessions, view.registry.totals(sessions), strict=True)
    ]


def _session_document(session: Session, totals: Totals) -> document.RTSPSession:
    return {
        "id": session.id.uuid,
        "created": session.created,
        "remoteAddr": str(session.remote),
        "state": STATES[session.role],
        "path": session.target or "",
        "query": session.query,
        "transport": session.transport,
        "bytesReceived": totals.bytes_received,
        "bytesSent": totals.bytes_sent,
        "rtpPacketsReceived": totals.packets_received,
        "rtpPacketsSent": totals.packets_sent,
        "rtpPacketsLost": totals.packets_lost,
        "rtpPacketsInError": totals.packets_in_error,
        "rtpPacketsJitter": totals.jitter_ticks,
        "rtcpPacketsReceived": totals.control_packets_received,
        "rtcpPacketsSent": totals.control_packets_sent,
        "rtcpPacketsInError": totals.control_packets_in_error,
        "rtpPacketsDiscarded": totals.packets_discarded,
        "userAgent": session.user_agent,
    }


# Access


@router.post("/auth/jwks/refresh", operation_id="authJwksRefresh", responses=_answers(document.Ok))
async def refresh_keys(view: Viewed) -> Response:
    """Those who sign tokens have changed their keys.

    A key that is not known yet is looked for at once, and not only a minute after the last time.
    """
    view.access.expect_new_keys()
    return _json(document.Ok(status="ok"))


# Configuration


@router.get("/config/global/get", operation_id="configGlobalGet", responses=_answers(GlobalConf))
async def get_global(view: Viewed) -> Response:
    """The global part of the configuration, defaults included."""
    return _json(redacted(view.configuration().global_.document()))


@router.get("/config/pathdefaults/get", operation_id="configPathDefaultsGet", responses=_answers(PathConf))
async def get_path_defaults(view: Viewed) -> Response:
    """What every path's configuration begins with."""
    return _json(redacted(view.configuration().path_defaults.document()))


@router.get("/config/paths/list", operation_id="configPathsList", responses=_answers(PathConfList))
async def list_path_configurations(
    view: Viewed, page: PageNumber = None, items_per_page: ItemsPerPage = None
) -> Response:
    """Every path's configuration, by name, path defaults included."""
    everyone = list(view.configuration().paths.values())
    part = page_of(everyone, page=page, items_per_page=items_per_page)
    head = to_json({"pageCount": part.page_count, "itemCount": part.item_count, "items": []})
    items = b",".join(view.path_documents.of(conf) for conf in part.items)
    return Response(head.removesuffix(b"]}") + items + b"]}", media_type="application/json")


@router.get(
    "/config/paths/get/{name:path}",
    operation_id="configPathsGet",
    responses=_answers(PathConf, missing="path configuration not found"),
)
async def get_path_configuration(view: Viewed, name: str) -> Response:
    """One path's configuration, by its key in `paths`, path defaults included."""
    conf = view.configuration().paths.get(_name(name))
    if conf is None:
        raise NotFound("path configuration not found")
    return Response(view.path_documents.of(conf), media_type="application/json")


# The form of everything


def _page(
    documents: Callable[[shape.View, Sequence[T]], Sequence[object]], view: shape.View, part: Slice[T]
) -> Response:
    items = documents(view, part.items)
    return _json({"pageCount": part.page_count, "itemCount": part.item_count, "items": items})


def _json(body: object) -> Response:
    return Response(to_json(body), media_type="application/json")


def _name(text: str) -> str:
    if not text:
        raise BadRequest("invalid name")
    return text
