"""RTSP/1.0 messages (RFC 2326 4 to 7): one whole message in, one out."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headgate.media.rtsp.url import Url

__all__ = ["Method", "ProtocolError", "Request", "Response", "Status", "split_message"]

VERSION = "RTSP/1.0"
HEADER_LIMIT = 64
"""Clients seen in the field send fewer than 15; what a head may weigh in all is the engine's limit."""
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 2326 15.1, RFC 2068's token
VERSION_FORM = re.compile(r"RTSP/(\d{1,3})\.(\d{1,3})")
CSEQ = re.compile(r"[0-9]{1,18}")  # RFC 2326 12.17 sets no bound; 18 digits stay exact everywhere
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Method(enum.StrEnum):
    """RFC 2326 10, in the order in which `Public` lists them."""

    OPTIONS = "OPTIONS"
    DESCRIBE = "DESCRIBE"
    ANNOUNCE = "ANNOUNCE"
    SETUP = "SETUP"
    PLAY = "PLAY"
    PAUSE = "PAUSE"
    RECORD = "RECORD"
    GET_PARAMETER = "GET_PARAMETER"
    SET_PARAMETER = "SET_PARAMETER"
    TEARDOWN = "TEARDOWN"


class Status(enum.IntEnum):
    """The status codes this server answers with (RFC 2326 7.1.1). Another's may be any other."""

    OK = 200
    MOVED_PERMANENTLY = 301
    FOUND = 302
    SEE_OTHER = 303
    TEMPORARY_REDIRECT = 307
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    NOT_FOUND = 404
    NOT_ACCEPTABLE = 406
    REQUEST_ENTITY_TOO_LARGE = 413
    UNSUPPORTED_MEDIA_TYPE = 415
    PARAMETER_NOT_UNDERSTOOD = 451
    SESSION_NOT_FOUND = 454
    METHOD_NOT_VALID_IN_THIS_STATE = 455
    AGGREGATE_OPERATION_NOT_ALLOWED = 459
    ONLY_AGGREGATE_OPERATION_ALLOWED = 460
    UNSUPPORTED_TRANSPORT = 461
    NOT_IMPLEMENTED = 501
    SERVICE_UNAVAILABLE = 503
    RTSP_VERSION_NOT_SUPPORTED = 505
    OPTION_NOT_SUPPORTED = 551

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        if not isinstance(value, int) or not 100 <= value < 600:
            return None
        other = int.__new__(cls, value)
        other._name_, other._value_ = f"STATUS_{value}", value
        return other

    @property
    def reason(self) -> str:
        """The reason phrase, for people only."""
        return IRREGULAR_REASONS.get(self) or self.name.replace("_", " ").title()


IRREGULAR_REASONS: Mapping[Status, str] = {
    Status.OK: "OK",
    Status.METHOD_NOT_VALID_IN_THIS_STATE: "Method Not Valid in This State",
    Status.RTSP_VERSION_NOT_SUPPORTED: "RTSP Version Not Supported",
}


class ProtocolError(Exception):
    """A request that is answered with an error. `status` is the answer; the text is for the log."""

    def __init__(self, status: Status, text: str, *, cseq: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.cseq = cseq
        """What the answer must echo, where the request got as far as saying it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A client's request. `method` is kept as sent: an unknown one is answered 501, not 400."""

    method: str
    url: Url | None
    """None for `*`: the server, not a path."""
    cseq: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name; values of a repeated name are joined by ", " (RFC 2068 4.2).

    CSeq and Content-Length are not among them: `cseq` and `body` say the same.
    """
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    @classmethod
    def parse(cls, message: bytes) -> Request:
        """Read one whole message. Raises ProtocolError and nothing else."""
        start, headers, body, complaint = split_message(message)
        cseq = _take_cseq(headers)
        if complaint:
            raise ProtocolError(Status.BAD_REQUEST, complaint, cseq=cseq)
        parts = start.split()
        if len(parts) != 3 or not TOKEN.fullmatch(parts[0]):
            raise ProtocolError(Status.BAD_REQUEST, "the request line is not METHOD URL VERSION", cseq=cseq)
        method, target, version = parts
        form = VERSION_FORM.fullmatch(version)
        if form is None:
            raise ProtocolError(Status.BAD_REQUEST, f"not an RTSP version: {version[:20]!r}", cseq=cseq)
        if form.groups() != ("1", "0"):
            raise ProtocolError(Status.RTSP_VERSION_NOT_SUPPORTED, f"version {version}", cseq=cseq)
        if cseq is None:  # RFC 2326 12.17: MUST be present in all requests
            raise ProtocolError(Status.BAD_REQUEST, "CSeq is missing or not a number")
        try:
            url = None if target == "*" else Url.parse(target)
        except ValueError as error:
            raise ProtocolError(Status.BAD_REQUEST, str(error), cseq=cseq) from None
        return cls(method=method, url=url, cseq=cseq, headers=headers, body=body)

    def serialise(self) -> bytes:
        """As a client sends it."""
        start = f"{self.method} {self.url or '*'} {VERSION}"
        return _join(start, [("CSeq", str(self.cseq)), *self.headers.items()], self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer. Header names are written as given here."""

    status: Status
    cseq: int | None
    """None only where the request did not say one."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for known, value in self.headers if known.lower() == wanted), None)

    @classmethod
    def parse(cls, message: bytes) -> Response:
        """Read one whole answer. Raises ValueError: a server's client has nobody to answer to."""
        start, headers, body, complaint = split_message(message)
        parts = start.split(maxsplit=2)
        if complaint or len(parts) < 2 or parts[0] != VERSION or not parts[1].isdecimal():
            raise ValueError(complaint or f"not a status line: {start[:80]!r}")
        cseq = _take_cseq(headers)
        return cls(status=Status(int(parts[1])), cseq=cseq, headers=tuple(headers.items()), body=body)

    def serialise(self) -> bytes:
        cseq = [] if self.cseq is None else [("CSeq", str(self.cseq))]
        return _join(f"{VERSION} {self.status.value} {self.status.reason}", [*cseq, *self.headers], self.body)


def _join(start: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def split_message(message: bytes) -> tuple[str, dict[str, str], bytes, str | None]:
    """Start line, headers, body, and what is wrong with the head, if anything.

    The complaint is returned, not raised, so that the answer can still echo CSeq.
    A bare LF ends a line too: old cameras and hand-written clients send it.
    """
    head, body = _end_of_head(message)
    # A byte that is not UTF-8 must not lose the whole request: it is in nobody's way in a User-Agent.
    lines = [line.removesuffix("\r") for line in head.decode(errors="replace").split("\n")]
    start, headers = lines[0], dict[str, str]()
    complaint = "a control character in the head" if CONTROL_CHARACTERS.search("".join(lines)) else None
    name = ""
    if len(lines) - 1 > HEADER_LIMIT:
        complaint, lines = f"more than {HEADER_LIMIT} header lines", lines[: HEADER_LIMIT + 1]
    for line in lines[1:]:
        if line[:1] in {" ", "\t"} and name:  # folded (RFC 2068 2.2)
            headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name, value = name.rstrip().lower(), value.strip()
        if not colon or not TOKEN.fullmatch(name):
            complaint, name = complaint or "a line that is no header", ""
            continue
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    headers.pop("content-length", None)
    return start, headers, body, complaint


def _end_of_head(message: bytes) -> tuple[bytes, bytes]:
    """Head without its last line end, and the body; a message without a blank line is all head."""
    ends = [(message.find(mark), len(mark)) for mark in (b"\n\r\n", b"\n\n")]
    found = [(at, size) for at, size in ends if at >= 0]
    if not found:
        return message.rstrip(b"\r\n"), b""
    at, size = min(found)
    return message[:at].removesuffix(b"\r"), message[at + size :]


def _take_cseq(headers: dict[str, str]) -> int | None:
    value = headers.pop("cseq", "")
    return int(value) if CSEQ.fullmatch(value) else None
