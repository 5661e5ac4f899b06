"""The server's frames."""

from __future__ import annotations

import pytest

from headgate.rooms.websocket.frame import CloseCode, Opcode, close_frame, frame, text_frame


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_size(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


def test_rfc_6455_5_7() -> None:
    assert text_frame(b"Hello") == bytes.fromhex("810548656c6c6f")
    assert frame(Opcode.PONG, b"Hello") == bytes.fromhex("8a0548656c6c6f")


def test_a_reason_fits() -> None:
    closing = close_frame(CloseCode.POLICY, "é" * 200)
    assert closing[:4] == b"\x88\x7c\x03\xf0"
    assert closing[4:].decode() == "é" * 61
