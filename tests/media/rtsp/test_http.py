"""The heads that a tunnel begins with."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from headgate.media.rtsp.http import HttpRefusal, HttpRequest, answer


def test_a_request() -> None:
    request = HttpRequest.parse(
        b"GET /cam?a=b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
    )
    assert (request.method, request.minor) == ("GET", 1)
    assert request.header("host") == "h"
    assert request.header("X-A") == "1, 2"
    assert request.listed("Connection") == ["keep-alive", "Upgrade"]
    assert request.listed("missing") == []
    assert HttpRequest.parse(b"POST / HTTP/1.0\n\n").minor == 0


@pytest.mark.parametrize(
    "head",
    [
        b"GET HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / a HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(HttpRefusal) as refused:
        HttpRequest.parse(head)
    assert refused.value.status == 400


def test_a_refusal_says_why_and_that_nothing_follows() -> None:
    head, _, body = (
        HttpRefusal(HTTPStatus.NOT_FOUND, "nothing", {"Allow": "GET"}).serialise().partition(b"\r\n\r\n")
    )
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 404 Not Found"
    assert {b"Server: headgate", b"Allow: GET", b"Connection: close", b"Content-Length: 8"} <= set(lines)
    assert body == b"nothing\n"


def test_an_answer_has_a_date() -> None:
    assert b"\r\nDate: " in answer(HTTPStatus.OK, {})
