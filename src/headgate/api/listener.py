"""What holds for every request of the operator's listener, whatever the dialect.

Requests from other web sites, trailing slashes, HEAD, headers of every answer, and bugs.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.api.failure import APPLICATIONS, MEDIA, SERVICES, failure

__all__ = ["OperatorListener"]

logger = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
ALL_METHODS = "OPTIONS, GET, POST, PATCH, DELETE"
ANYONE = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}


class OperatorListener:
    """Stands before the routes.

    `allow_origin` is asked at every request, because the configuration may change. Where it is "*"
    pages of other sites may read, as they may with MediaMTX, but never change anything: a browser
    would lend any page its place inside the operator's network.
    """

    def __init__(self, app: ASGIApp, *, allow_origin: Callable[[], str]) -> None:
        self._app = app
        self._allow_origin = allow_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = Answer(send, allow_origin=self._allow_origin(), head=scope["method"] == "HEAD")
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        try:
            await self._app(_routed(scope), receive, answer)
        except Exception:
            logger.exception("a bug while answering %s %s", scope["method"], scope["path"])
            if not answer.started:
                bug = failure(scope["path"], status=500, detail="a bug in the server; it was logged")
                await bug(scope, receive, answer)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer, where no route is to see the request."""
        headers = Headers(scope=scope)
        foreign = self._foreign(headers, scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            methods = "OPTIONS, GET" if foreign else ALL_METHODS
            return Response(
                status_code=204,
                headers={
                    "access-control-allow-methods": methods,
                    "access-control-allow-headers": "Authorization, Content-Type",
                },
            )
        if scope["method"] == "OPTIONS" and scope["path"].startswith(SERVICES):
            methods = "GET, HEAD, DELETE, OPTIONS"
            return Response(headers={"allow": methods, "accept": methods})
        if foreign and scope["method"] not in READING:
            detail = "a page of another site may not change anything here; see apiAllowOrigin"
            return failure(scope["path"], status=403, detail=detail)
        return None

    def _foreign(self, headers: Headers, scope: Scope) -> bool:
        """Whether a browser sent it for a page of another site that nobody has allowed."""
        origin = headers.get("origin")
        if origin is None or origin == self._allow_origin():
            return False
        ours = _authority(f"{scope['scheme']}://{headers.get('host', '')}")
        if ours is None or _authority(origin) != ours:
            return True
        # A stranger's host name may lead to this machine's loopback address (DNS rebinding), and
        # then its pages look like ours. An address, or "localhost", cannot be made to.
        server = scope.get("server") or ("", None)
        return _is_loopback(server[0]) and not (_is_address(ours[0]) or ours[0] == "localhost")


def _authority(url: str) -> tuple[str, int | None] | None:
    """Host and port; None for what is no URL ("null", the origin of a file or sandbox)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname, port or DEFAULT_PORTS.get(parts.scheme)


def _routed(scope: Scope) -> Scope:
    """The request as the routes know it: HEAD as GET, and no slash behind, where the dialect has none."""
    path: str = scope["path"]
    changes: dict[str, str] = {}
    if path.startswith((SERVICES + "/", APPLICATIONS + "/", "/health/", "/docs/")):
        changes["path"] = path.rstrip("/")
    # In /v3 HEAD is an unknown route (seed 002's server); of /events it would never end.
    if scope["method"] == "HEAD" and not path.startswith((MEDIA + "/", "/events")):
        changes["method"] = "GET"
    return {**scope, **changes} if changes else scope


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


class Answer:
    """Sends an answer with the headers that all have in common, and no body to HEAD."""

    def __init__(self, send: Send, *, allow_origin: str, head: bool) -> None:
        self._send = send
        self._allow_origin = allow_origin
        self._head = head
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["server"] = "headgate"
            headers["x-content-type-options"] = "nosniff"
            if self._allow_origin:
                headers["access-control-allow-origin"] = self._allow_origin
                if self._allow_origin != ANYONE:
                    headers["access-control-allow-credentials"] = "true"
        elif message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)
