"""The handshake of WebSocket: what agrees, and what each mistake is answered with."""

from __future__ import annotations

import pytest

from headgate.media.rtsp import websocket
from headgate.media.rtsp.http import HttpRefusal, HttpRequest

# RFC 6455 1.3, with our subprotocol.
HEADERS = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "chat, rtsp.onvif.org",
    "Sec-WebSocket-Version": "13",
}


def request(line: str = "GET /chat HTTP/1.1", **changes: str | None) -> HttpRequest:
    headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [line, *(f"{name}: {value}" for name, value in headers.items() if value is not None), "", ""]
    return HttpRequest.parse("\r\n".join(lines).encode())


def test_the_example_of_rfc_6455() -> None:
    assert websocket.is_asked_for(request())
    lines = websocket.accept(request()).decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
    assert "Sec-WebSocket-Protocol: rtsp.onvif.org" in lines


def test_lists_and_cases_as_browsers_write_them() -> None:
    websocket.accept(request(Connection="keep-alive, upgrade", Upgrade="WebSocket"))


def test_no_extension_is_agreed_on() -> None:
    answer = websocket.accept(request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
    assert b"xtensions" not in answer


def test_without_the_upgrade_it_is_not_asked_for() -> None:
    assert not websocket.is_asked_for(request(Upgrade=None))
    assert not websocket.is_asked_for(request(Upgrade="h2c"))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"line": "POST /chat HTTP/1.1"}, 400),
        ({"line": "GET /chat HTTP/1.0"}, 400),
        ({"Host": None}, 400),
        ({"Connection": "close"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "c2hvcnQ="}, 400),
        ({"Sec_WebSocket_Key": "not base64, not at all =="}, 400),
        ({"Sec_WebSocket_Key": "ü" * 16}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Protocol": None}, 400),
        ({"Sec_WebSocket_Protocol": "chat"}, 400),
    ],
)
def test_a_mistake_is_refused(changes: dict[str, str | None], status: int) -> None:
    with pytest.raises(HttpRefusal) as refused:
        websocket.accept(request(**changes))  # type: ignore[arg-type]
    assert refused.value.status == status
    if status == 426:
        assert b"Sec-WebSocket-Version: 13\r\n" in refused.value.serialise()


def test_pages_are_foreign_unless_they_are_named() -> None:
    def foreign(origin: str | None, allowed: str) -> bool:
        return websocket.is_foreign(request(Origin=origin), allow_origin=allowed)

    assert not foreign(None, "*")
    assert not foreign(None, "https://player.example")
    assert not foreign("https://player.example", "https://Player.example")
    assert foreign("https://evil.example", "*")
    assert foreign("null", "*")
    assert foreign("*", "*")
    assert foreign("http://server.example.com", "*"), "a name of its own may be a rebound one"
    for origin in ("https://evil.example", "null", "https://player.example.evil.example"):
        with pytest.raises(HttpRefusal) as refused:
            foreign(origin, "https://player.example")
        assert refused.value.status == 403
