"""What holds for every request of the operator's listener, whatever the dialect.

Requests from other web sites, who may come in, trailing slashes, HEAD, headers of every answer, and bugs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.api.entrance import ADMITTED, Admitted, Entrance
from headgate.api.failure import APPLICATIONS, MEDIA, SERVICES, failure
from headgate.core.session import CloseReason

__all__ = ["OperatorListener"]

logger = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
ALL_METHODS = "OPTIONS, GET, POST, PATCH, DELETE"
ANYONE = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}


class OperatorListener:
    """Stands before the routes.

    `allow_origin` is asked at every request, because the configuration may change. Where it is "*"
    pages of other sites may read with credentials of their own, but never change anything, and not
    read either where only the sender's address speaks for it: a browser would lend any page its
    place inside the operator's network.
    """

    def __init__(self, app: ASGIApp, *, allow_origin: Callable[[], str], entrance: Entrance) -> None:
        self._app = app
        self._allow_origin = allow_origin
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        foreign = self._foreign(scope)
        allowed = self._allow_origin()
        answer = Answer(send, allow_origin=allowed, head=scope["method"] == "HEAD")
        if foreign and allowed == ANYONE and not _asks_to_log_in(scope):
            answer.allow_origin = ""
        refusal = self._refusal(scope, foreign=foreign)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        try:
            admitted = await self._entrance.admit(scope)
            if isinstance(admitted, Admitted) and not admitted.grant.proven:
                admitted = self._without_proof(admitted, scope)
            elif foreign:
                answer.allow_origin = allowed
            if isinstance(admitted, Response):
                await admitted(scope, receive, answer)
                return
            try:
                async with asyncio.timeout(None) as limit:
                    # An event stream ends with the access it was opened with.
                    with self._entrance.lease(admitted, end=partial(_end_now, limit)):
                        await self._app({**_routed(scope), ADMITTED: admitted}, receive, answer)
            except TimeoutError:
                if answer.started:
                    await answer({"type": "http.response.body", "body": b"", "more_body": False})
                else:
                    await Response(status_code=401)(scope, receive, answer)
        except Exception:
            logger.exception("a bug while answering %s %s", scope["method"], scope["path"])
            if not answer.started:
                bug = failure(scope["path"], status=500, detail="a bug in the server; it was logged")
                await bug(scope, receive, answer)

    def _refusal(self, scope: Scope, *, foreign: bool) -> Response | None:
        """The answer, where nobody needs to be asked who it is."""
        method = scope["method"]
        if method == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            methods = "OPTIONS, GET" if foreign else ALL_METHODS
            return Response(
                status_code=204,
                headers={
                    "access-control-allow-methods": methods,
                    "access-control-allow-headers": "Authorization, Content-Type",
                },
            )
        if method == "OPTIONS" and scope["path"].startswith(SERVICES):
            methods = "GET, HEAD, DELETE, OPTIONS"
            return Response(headers={"allow": methods, "accept": methods})
        if foreign and method not in READING:
            detail = "a page of another site may not change anything here; see apiAllowOrigin"
            return failure(scope["path"], status=403, detail=detail)
        return None

    def _without_proof(self, admitted: Admitted, scope: Scope) -> Admitted | Response:
        """For whom only the address speaks, and that may be the address of a browser.

        A stranger's host name can be made to lead here (DNS rebinding), and then its pages look like
        ours. An address cannot, nor "localhost", nor this machine's own name.
        """
        if scope["method"] in READING or self._is_our_name(scope):
            return admitted
        detail = "not a name of this server; log in, use its address, or name it in apiAllowOrigin"
        return failure(scope["path"], status=403, detail=detail)

    def _foreign(self, scope: Scope) -> bool:
        """Whether a browser sent it for a page of another site that nobody has allowed."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        if origin == self._allow_origin():
            return False
        ours = _host(scope)
        return ours is None or _authority(origin) != ours

    def _is_our_name(self, scope: Scope) -> bool:
        host = _host(scope)
        if host is None:
            return False
        known = {"localhost", socket.gethostname().lower()}
        allowed = _authority(self._allow_origin())
        return _is_address(host[0]) or host[0] in known or (allowed is not None and host[0] == allowed[0])


def _end_now(limit: asyncio.Timeout, _: CloseReason) -> None:
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())


Authority = tuple[str, int | None]


def _asks_to_log_in(scope: Scope) -> bool:
    """What a browser asks before a page may read with credentials that the page has."""
    headers = Headers(scope=scope)
    wanted = headers.get("access-control-request-headers", "").lower()
    reads = headers.get("access-control-request-method") in READING
    return scope["method"] == "OPTIONS" and reads and "authorization" in wanted


def _host(scope: Scope) -> Authority | None:
    """What the request's Host names."""
    return _authority(f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}")


def _authority(url: str) -> Authority | None:
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


class Answer:
    """Sends an answer with the headers that all have in common, and no body to HEAD."""

    def __init__(self, send: Send, *, allow_origin: str, head: bool) -> None:
        self._send = send
        self.allow_origin = allow_origin
        self._head = head
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["server"] = "headgate"
            headers["x-content-type-options"] = "nosniff"
            if self.allow_origin:
                headers["access-control-allow-origin"] = self.allow_origin
                if self.allow_origin != ANYONE:
                    headers["access-control-allow-credentials"] = "true"
        elif message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)
