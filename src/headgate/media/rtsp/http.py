"""HTTP/1 (RFC 9112) as far as a tunnel begins with it: one request's head in, one answer's head out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Self

from headgate.media.rtsp.message import split_message

__all__ = ["HttpRefusal", "HttpRequest", "answer"]

SERVER_NAME = "headgate"


class HttpRefusal(Exception):
    """A request that is answered with an error. The text is for people: the client's and the log's."""

    def __init__(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self._headers = headers or {}

    def serialise(self) -> bytes:
        """The answer, behind which the connection is closed."""
        body = f"{self}\n".encode()
        kind = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
        return answer(self.status, {**self._headers, **kind, "Connection": "close"}) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What comes with a body leaves it to whoever reads on."""

    method: str
    minor: int
    """Of the version, HTTP/1.0 or HTTP/1.1."""
    headers: Mapping[str, str]
    """By lower-case name; values of a repeated name are joined by ", " (RFC 9110 5.3)."""

    @classmethod
    def parse(cls, head: bytes) -> Self:
        """Read a head that the engine took for HTTP. Raises HttpRefusal."""
        start, headers, _, complaint = split_message(head)
        parts = start.split(" ")
        if complaint or len(parts) != 3:
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, complaint or "not METHOD TARGET VERSION")
        return cls(method=parts[0], minor=int(parts[2][-1]), headers=headers)

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    def listed(self, name: str) -> list[str]:
        """The members of a list (RFC 9110 5.6.1)."""
        members = (member.strip() for member in self.headers.get(name.lower(), "").split(","))
        return [member for member in members if member]


def answer(status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
    """The head."""
    always = {"Server": SERVER_NAME, "Date": formatdate(usegmt=True)}
    lines = [f"{name}: {value}" for name, value in {**always, **headers}.items()]
    return "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", ""]).encode()
