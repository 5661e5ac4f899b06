"""Messages: what is read, what is refused with which status, and what is written."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.media.rtsp.message import HEADER_LIMIT, ProtocolError, Request, Response, Status


def refused(message: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        Request.parse(message)
    return caught.value


def test_a_request_with_a_body() -> None:
    request = Request.parse(
        b"ANNOUNCE rtsp://h:8554/cam?q RTSP/1.0\r\nCSeq:  7 \r\nContent-Type: application/sdp\r\n"
        b"X-Twice: a\r\nx-twice: b\r\nContent-Length: 6\r\n\r\n\r\n\r\nv="
    )
    assert (request.method, request.cseq, str(request.url)) == ("ANNOUNCE", 7, "rtsp://h:8554/cam?q")
    assert request.header("x-TWICE") == "a, b"
    assert request.body == b"\r\n\r\nv="


def test_bare_line_feeds_and_folded_headers() -> None:
    request = Request.parse(b"OPTIONS * RTSP/1.0\nCSeq: 1\nUser-Agent: a\n  b\n\nbody")
    assert request.url is None
    assert request.header("user-agent") == "a b"
    assert request.body == b"body"


@pytest.mark.parametrize(
    ("message", "status", "cseq"),
    [
        (b"", 400, None),
        (b"OPTIONS\r\nCSeq: 3\r\n\r\n", 400, 3),
        (b"OPTIONS * RTSP/1.0\r\n\r\n", 400, None),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: x\r\n\r\n", 400, None),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: -1\r\n\r\n", 400, None),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nCSeq: 2\r\n\r\n", 400, None),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\nno colon\r\n\r\n", 400, 3),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\nbad name: x\r\n\r\n", 400, 3),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\nX: a\x00b\r\n\r\n", 400, 3),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\nX: a\rb\r\n\r\n", 400, 3),
        (b"DESCRIBE cam RTSP/1.0\r\nCSeq: 3\r\n\r\n", 400, 3),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, None),
        (b"OPTIONS * RTSP/2.0\r\nCSeq: 3\r\n\r\n", 505, 3),
        (b"OPTIONS * RTSP/1.1\r\nCSeq: 3\r\n\r\n", 505, 3),
    ],
)
def test_what_is_refused(message: bytes, status: int, cseq: int | None) -> None:
    error = refused(message)
    assert (error.status, error.cseq) == (status, cseq)


def test_too_many_headers() -> None:
    most = b"OPTIONS * RTSP/1.0\r\nCSeq: 5\r\n" + b"A: b\r\n" * (HEADER_LIMIT - 1)
    assert Request.parse(most + b"\r\n").cseq == 5
    for surplus in (1, 10_000):
        error = refused(most + b"A: b\r\n" * surplus + b"\r\n")
        assert (error.status, error.cseq) == (Status.BAD_REQUEST, 5)


def test_an_answer_on_the_wire() -> None:
    response = Response(status=Status.OK, cseq=2, headers=(("Server", "headgate"),), body=b"v=0\r\n")
    assert response.serialise() == (
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nServer: headgate\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    )
    assert Response(status=Status(455), cseq=None).serialise() == (
        b"RTSP/1.0 455 Method Not Valid in This State\r\n\r\n"
    )


def test_both_kinds_survive_the_wire() -> None:
    request = Request.parse(b"SETUP rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nSession: x\r\n\r\n")
    assert Request.parse(request.serialise()).headers == request.headers
    response = Response(status=Status.NOT_FOUND, cseq=9, headers=(("Session", "x"),))
    again = Response.parse(response.serialise())
    assert (again.status, again.cseq, again.header("session")) == (404, 9, "x")


@given(
    st.binary(max_size=400)
    | st.binary(max_size=200).map(lambda b: b"SETUP rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\n" + b)
)
def test_reading_raises_nothing_but_protocol_errors(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert Request.parse(message).method
