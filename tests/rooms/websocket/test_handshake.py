"""RFC 6455, section 4.2."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from headgate.rooms.websocket.handshake import BadHandshake, accept

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def test_the_example_of_the_rfc() -> None:
    offered = "permessage-deflate; client_max_window_bits"
    answer = accept(
        Headers(
            {"sec-websocket-version": "13", "sec-websocket-key": KEY, "sec-websocket-extensions": offered}
        )
    )
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert b"xtension" not in answer, "nothing is ever inflated"


@pytest.mark.parametrize(
    ("version", "key", "status"),
    [("8", KEY, 426), ("", KEY, 426), ("13", "", 400), ("13", "c2hvcnQ=", 400), ("13", "*" * 24, 400)],
)
def test_what_is_none(version: str, key: str, status: int) -> None:
    with pytest.raises(BadHandshake) as caught:
        accept(Headers({"sec-websocket-version": version, "sec-websocket-key": key}))
    assert caught.value.status == status
