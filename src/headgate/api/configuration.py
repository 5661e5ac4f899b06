"""The `/v3` dialect's calls that change the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.body import read_object
from headgate.api.documents import media as document
from headgate.api.failure import MEDIA, BadRequest
from headgate.api.view import Viewed
from headgate.core.config import GlobalConf, PathConf

__all__ = ["router"]

router = APIRouter(prefix=MEDIA, tags=["media"])

REFUSED = "What is wrong; nothing has changed."


def _about(
    *, takes: type[GlobalConf] | type[PathConf] | None = None, missing: bool = False
) -> dict[str, Any]:
    """What an operation takes and may answer, for OpenAPI."""
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": document.Ok, "description": "It is in force, and survives a restart."},
        400: {"model": document.Error, "description": REFUSED},
        500: {"model": document.Error, "description": "A bug in the server; it was logged."},
    }
    if missing:
        answers[404] = {"model": document.Error, "description": "path not found"}
    about: dict[str, Any] = {"responses": answers}
    if takes is not None:
        schema = {"$ref": f"#/components/schemas/{takes.__name__}"}
        about["openapi_extra"] = {
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        }
    return about


@router.patch("/config/global/patch", operation_id="configGlobalSet", **_about(takes=GlobalConf))
async def patch_global(request: Request, view: Viewed) -> Response:
    """Set keys of the global configuration.

    Listeners that move are opened before this answers; a port that is taken is a 400, and nothing changes.
    """
    await view.store.patch_global(await read_object(request))
    return _ok()


@router.patch("/config/pathdefaults/patch", operation_id="configPathDefaultsPatch", **_about(takes=PathConf))
async def patch_path_defaults(request: Request, view: Viewed) -> Response:
    """Set keys of what every path's configuration begins with."""
    await view.store.patch_path_defaults(await read_object(request))
    return _ok()


@router.post("/config/paths/add/{name:path}", operation_id="configPathsAdd", **_about(takes=PathConf))
async def add_path(request: Request, view: Viewed, name: str) -> Response:
    """Add a path's configuration."""
    given = await read_object(request)
    await view.store.add_path(_name(name), given)
    return _ok()


@router.patch(
    "/config/paths/patch/{name:path}",
    operation_id="configPathsPatch",
    **_about(takes=PathConf, missing=True),
)
async def patch_path(request: Request, view: Viewed, name: str) -> Response:
    """Set keys of a path's configuration."""
    given = await read_object(request)
    await view.store.patch_path(_name(name), given)
    return _ok()


@router.post("/config/paths/replace/{name:path}", operation_id="configPathsReplace", **_about(takes=PathConf))
async def replace_path(request: Request, view: Viewed, name: str) -> Response:
    """Set a path's whole configuration.

    Adds the path where there is none. Keys that are not given are those of the path defaults.
    """
    given = await read_object(request)
    await view.store.replace_path(_name(name), given)
    return _ok()


@router.delete("/config/paths/delete/{name:path}", operation_id="configPathsDelete", **_about(missing=True))
async def delete_path(view: Viewed, name: str) -> Response:
    """Remove a path's configuration, and end who publishes and reads there, if nothing else allows it."""
    await view.store.delete_path(_name(name))
    return _ok()


@router.post("/config/reset", operation_id="configReset", **_about())
async def reset(view: Viewed) -> Response:
    """Drop every change made through the API.

    What the file says holds again. Not in MediaMTX.
    """
    await view.store.reset()
    return _ok()


def _ok() -> Response:
    body: Mapping[str, str] = {"status": "ok"}
    return Response(to_json(body), media_type="application/json")


def _name(text: str) -> str:
    if not text:
        raise BadRequest("invalid name")
    return text
