"""The operator's listener as one ASGI application."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route

from headgate.api import (
    applications,
    configuration,
    events,
    health,
    media,
    metrics,
    relay,
    relay_control,
    rooms,
    services,
)
from headgate.api.docs import HEADERS, index_page, reference_page
from headgate.api.entrance import Entrance
from headgate.api.exposition import CONTENT_TYPE
from headgate.api.failure import MEDIA, BadRequest, Unauthorised, failure, no_route
from headgate.api.listener import OperatorListener
from headgate.api.openapi import describe
from headgate.api.view import View
from headgate.core.errors import HeadgateError, NotFound

__all__ = ["build", "build_metrics"]

DESCRIPTION = """The operator's listener: every session of this server, in the dialect of your choice.

Who may use it is what `authMethod` says of the actions `api` and `metrics`; out of the box, whoever is on
this machine."""


def build(view: View) -> FastAPI:
    """Everything but the socket.

    `Bus.close` ends its event streams: call it before the HTTP server stops, which waits for them.
    """
    app = FastAPI(
        title="headgate",
        version=view.version,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(
                OperatorListener,
                allow_origin=lambda: view.configuration().global_.api_allow_origin,
                entrance=Entrance(view, trusted=lambda: view.configuration().global_.api_trusted_proxies),
            )
        ],
        exception_handlers={
            NotFound: _told(404),
            HeadgateError: _told(400),
            BadRequest: _told(400),
            Unauthorised: _challenged,
            RequestValidationError: _told(400),
            HTTPException: _unrouted,
        },
    )
    app.state.view = view
    app.state.subscribers = events.Subscribers()
    dialects = (
        media,
        configuration,
        services,
        applications,
        relay,
        relay_control,
        rooms,
        events,
        metrics,
        health,
    )
    for dialect in dialects:
        # Their prefixes are in them already. Including a router would build every route once more,
        # in the middle of the first request.
        app.router.routes.extend(dialect.router.routes)
    _add_pages(app, version=view.version)
    return app


def build_metrics(view: View) -> Starlette:
    """`/metrics` alone, for the listener of `metricsAddress`."""

    async def answer(_: Request) -> Response:
        return Response(metrics.render(view), media_type=CONTENT_TYPE)

    listener = Middleware(
        OperatorListener,
        allow_origin=lambda: view.configuration().global_.metrics_allow_origin,
        entrance=Entrance(view, trusted=lambda: view.configuration().global_.metrics_trusted_proxies),
    )
    return Starlette(routes=[Route("/metrics", answer)], middleware=[listener])


def _add_pages(app: FastAPI, *, version: str) -> None:
    # Describing everything takes a third of a second, which neither the start nor the loop can
    # spare: the first who asks waits for it, in a thread, which is where these plain functions run.
    document = functools.cache(lambda: describe(app))
    openapi = functools.cache(lambda: to_json(document()))

    @app.get("/openapi.json", include_in_schema=False)
    def get_openapi() -> Response:
        return Response(openapi(), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    def get_reference(request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return HTMLResponse(reference_page(document(), origin=origin), headers=HEADERS)

    @app.get("/", include_in_schema=False)
    async def get_index() -> Response:
        return HTMLResponse(index_page(version=version), headers=HEADERS)


def _told(status: int) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    """Answer with the error's own text, in the dialect's form."""

    async def tell(request: Request, error: Exception) -> Response:
        return failure(request.url.path, status=status, detail=str(error))

    return tell


async def _challenged(request: Request, error: Exception) -> Response:
    headers = {"www-authenticate": error.challenge} if isinstance(error, Unauthorised) else None
    return failure(request.url.path, status=401, detail=str(error), headers=headers)


async def _unrouted(request: Request, error: Exception) -> Response:
    """The router found no route, or not for this method."""
    path = request.url.path
    if path.startswith(MEDIA + "/") and path.endswith("/"):
        shorter = {**request.scope, "path": path.rstrip("/")}
        if any(route.matches(shorter)[0] is Match.FULL for route in request.app.router.routes):
            # Relative, so that no request can send a browser to another site.
            location = shorter["path"] + (f"?{request.url.query}" if request.url.query else "")
            status = 301 if request.method == "GET" else 307
            return Response(status_code=status, headers={"location": location})
    if isinstance(error, HTTPException) and error.status_code == 405 and not path.startswith(MEDIA + "/"):
        # One path's methods are several routes, of which the router has looked at one.
        here = [
            route for route in request.app.router.routes if route.matches(request.scope)[0] is not Match.NONE
        ]
        methods = {method for route in here for method in getattr(route, "methods", None) or ()}
        if "GET" in methods:
            methods.add("HEAD")
        allow = {"allow": ", ".join(sorted(methods))}
        return failure(path, status=405, detail="method not allowed", headers=allow)
    return no_route(path)
