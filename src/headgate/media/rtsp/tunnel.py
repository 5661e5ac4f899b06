"""Tunnels: RTSP in HTTP, as QuickTime invented it, and in WebSocket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from headgate.engine import Connection
from headgate.media.rtsp import websocket
from headgate.media.rtsp.http import HttpRefusal, HttpRequest, answer

__all__ = ["Getting", "Posting", "Talking", "Tunnels"]

COOKIE = re.compile(r"[!-~]{1,128}")  # QuickTime's has 22 characters, FFmpeg's and GStreamer's 16
MEDIA_TYPE = "application/x-rtsp-tunnelled"


@dataclass(frozen=True, slots=True)
class Getting:
    """A GET: what we send goes there, behind this answer. It waits for its POST."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Posting:
    """A POST, whose body is what the client of this GET says. It is never answered."""

    get: Connection


@dataclass(frozen=True, slots=True)
class Talking:
    """A WebSocket, once it has this answer."""

    answer: bytes
    foreign: bool
    """The page of another site asks: its browser's address speaks for nobody."""


class _Key(NamedTuple):
    """Both halves come to one service, from one address, with one cookie, which the client makes up.

    The address is part of it, so that a cookie that was overheard, or guessed, opens nothing and
    keeps nobody out.
    """

    service: str
    host: str
    cookie: str


class Tunnels:
    """The GETs that there are. Each is here until its connection is gone."""

    def __init__(self) -> None:
        self._gets: dict[_Key, Connection] = {}
        self._keys: dict[Connection, _Key] = {}

    def enter(
        self, head: bytes, *, connection: Connection, service: str, host: str, allow_origin: str
    ) -> Getting | Posting | Talking:
        """What a connection becomes whose first words are this head. Raises HttpRefusal."""
        request = HttpRequest.parse(head)
        if websocket.is_asked_for(request):
            foreign = websocket.is_foreign(request, allow_origin=allow_origin)
            return Talking(websocket.accept(request), foreign)
        cookie = request.header("X-SessionCookie")
        if cookie is None:
            raise HttpRefusal(HTTPStatus.NOT_FOUND, "there is nothing here but RTSP")
        if request.header("Origin") is not None:
            raise HttpRefusal(HTTPStatus.FORBIDDEN, "pages have WebSocket")
        if not COOKIE.fullmatch(cookie):
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "x-sessioncookie is not 1 to 128 printable characters")
        key = _Key(service, host, cookie)
        match request.method:
            case "GET":
                return self._get(key, connection)
            case "POST":
                return self._post(key)
            case _:
                raise HttpRefusal(
                    HTTPStatus.METHOD_NOT_ALLOWED, "neither GET nor POST", {"Allow": "GET, POST"}
                )

    def leave(self, connection: Connection) -> None:
        """It is gone. Any connection may say so."""
        if (key := self._keys.pop(connection, None)) is not None:
            del self._gets[key]

    def __len__(self) -> int:
        return len(self._gets)

    def _get(self, key: _Key, connection: Connection) -> Getting:
        if key in self._gets:
            raise HttpRefusal(HTTPStatus.CONFLICT, "there is a GET with this x-sessioncookie")
        self._gets[key] = connection
        self._keys[connection] = key
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Cache-Control": "no-store",
            "Pragma": "no-cache",
            "Connection": "close",  # its end is the end of the body
        }
        return Getting(answer(HTTPStatus.OK, headers))

    def _post(self, key: _Key) -> Posting:
        if (get := self._gets.get(key)) is None:
            raise HttpRefusal(HTTPStatus.NOT_FOUND, "no GET from here has this x-sessioncookie")
        return Posting(get)
