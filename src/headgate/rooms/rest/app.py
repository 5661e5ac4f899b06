"""The public listener as one ASGI application."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from headgate.rooms.door import REFUSAL, Turned
from headgate.rooms.rest import discovery, naming, page, pictures, stats, users
from headgate.rooms.rest.answers import Failure, Incomplete, failure, not_found
from headgate.rooms.rest.wing import Wing

__all__ = ["RoomsApp"]

logger = logging.getLogger(__name__)

Handler = Callable[[Wing, Request], Awaitable[Response]]
ANY = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
READ = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Resource:
    path: re.Pattern[str]
    """Below the base path; a trailing slash that is missing, or too much, is answered with the right one."""
    methods: frozenset[str]
    handler: Handler


def _resource(path: str, methods: frozenset[str], handler: Handler) -> Resource:
    return Resource(re.compile(path), methods, handler)


async def _no_socket(_: Wing, request: Request) -> Response:
    """A request for `/ws` that has not become a WebSocket."""
    turned: Turned | None = request.scope.get("state", {}).get(REFUSAL)
    if turned is None:
        return PlainTextResponse("Bad Request\n", 400)
    headers = {"sec-websocket-version": "13"} if turned.status == 426 else None
    return PlainTextResponse(turned.text + "\n", turned.status, headers)


async def _robots(_: Wing, __: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


class RoomsApp:
    """Everything but the WebSockets."""

    def __init__(self, wing: Wing, files: page.Files) -> None:
        self.wing = wing
        self._files = files
        self._resources = (
            _resource(r"\.well-known/spreed-configuration", ANY, discovery.endpoint),
            _resource(r"api/v1/config", frozenset({"GET"}), discovery.configuration),
            _resource(r"api/v1/tokens", frozenset({"POST"}), naming.validate_code),
            _resource(r"api/v1/rooms", frozenset({"POST"}), naming.name_room),
            _resource(r"api/v1/sessions/(?P<id>[^/]{1,256})/", frozenset({"PATCH"}), users.show_user),
            _resource(r"api/v1/users", frozenset({"POST"}), users.register),
            _resource(r"api/v1/stats", frozenset({"GET"}), stats.stats),
            _resource(r"static/img/buddy/(?P<flags>[^/]+)/(?P<image>[^/]+)(?:/.*)?", READ, pictures.picture),
            _resource(r"ws", frozenset({"GET"}), _no_socket),
            _resource(r"robots\.txt", READ, _robots),
            _resource(r"(?P<path>static/.+|favicon\.ico)", READ, self._static),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Failure as error:
            answer = failure(error)
        except Incomplete:
            answer = Response(status_code=400)
        except ClientDisconnect:
            return
        except Exception:
            logger.exception("a bug while answering %s %r", scope["method"], scope["path"])
            answer = Response(status_code=500)
        if scope["method"] == "HEAD":
            answer.body = b""
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        base = self.wing.settings.base_path
        if not request.url.path.startswith(base):
            return not_found()
        path = request.scope["path"].removeprefix(base)
        for resource in self._resources:
            if found := resource.path.fullmatch(path):
                if request.method not in resource.methods:
                    return Response(status_code=405)
                request.scope["path_params"] = found.groupdict()
                return await resource.handler(self.wing, request)
        other = path[:-1] if path.endswith("/") else path + "/"
        if other and any(one.path.fullmatch(other) for one in self._resources[:9]):
            return _moved(request, base + other)
        if path.startswith(("api/", ".well-known/")) or request.method not in READ:
            return not_found()
        if path.endswith("/"):
            return _moved(request, base + path.rstrip("/"))
        return await page.page(self.wing, self._files, request)

    async def _static(self, wing: Wing, request: Request) -> Response:
        return await page.static(wing, self._files, request)


def _moved(request: Request, path: str) -> Response:
    """To this listener, whatever the path: two slashes in front would name another one."""
    location = "/" + quote(path.lstrip("/"))
    query = request.scope["query_string"].decode("latin-1")
    return Response(status_code=301, headers={"location": location + (f"?{query}" if query else "")})
