"""`/health` and `/health/ready`: for load balancers, orchestrators and people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from headgate.api.view import Viewed
from headgate.core.timestamp import rfc3339

__all__ = ["router"]

router = APIRouter(prefix="/health", tags=["health"])


class Health(TypedDict):
    status: Literal["ok"]
    version: str
    started: Annotated[str, Field(description="RFC 3339.")]
    uptime_s: float
    sessions: Annotated[int, Field(description="Sessions open now.")]


class Readiness(TypedDict):
    status: Literal["ready", "starting", "stopping"]
    services: Annotated[list[str], Field(description="The names of the services that listen.")]


@router.get("", operation_id="health", responses={200: {"model": Health}})
async def health(view: Viewed) -> Response:
    """The server is alive: its loop answers."""
    body: Health = {
        "status": "ok",
        "version": view.version,
        "started": rfc3339(view.started),
        "uptime_s": round((datetime.now(UTC) - view.started).total_seconds(), 3),
        "sessions": sum(service.sessions for service in view.registry.services),
    }
    return Response(to_json(body), media_type="application/json")


@router.get(
    "/ready",
    operation_id="ready",
    responses={
        200: {"model": Readiness, "description": "Clients may come."},
        503: {"model": Readiness, "description": "Not yet, or not any more."},
    },
)
async def ready(view: Viewed) -> Response:
    """Whether clients may come: services listen, and the server is not stopping."""
    services = [service.name for service in view.registry.services]
    status: Literal["ready", "starting", "stopping"] = "ready" if services else "starting"
    if view.registry.draining or view.bus.closed:
        status = "stopping"
    body: Readiness = {"status": status, "services": services}
    return Response(to_json(body), 200 if status == "ready" else 503, media_type="application/json")
