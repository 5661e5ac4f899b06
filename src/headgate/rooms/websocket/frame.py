"""Frames of RFC 6455, section 5.2."""

from __future__ import annotations

import enum
import struct

__all__ = ["WHOLE_TEXT", "CloseCode", "Opcode", "close_frame", "frame", "text_frame"]


class Opcode(enum.IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(enum.IntEnum):
    """RFC 6455, section 7.4.1; those that we send or understand."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    """Never sent: the peer's close frame had none."""
    ABNORMAL = 1006
    """Never sent: there was no close frame."""
    INVALID_DATA = 1007
    POLICY = 1008
    TOO_BIG = 1009
    TRY_LATER = 1013


FIN = 0x80
WHOLE_TEXT = FIN | int(Opcode.TEXT)
"""The first byte of a text in one frame, as nearly all messages are."""
SHORT, LONG = struct.Struct("!BBH"), struct.Struct("!BBQ")
LONGEST_REASON = 123  # bytes; a control frame has 125


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """A whole message in one frame. The server's are not masked, so one serves every receiver."""
    return _head(FIN | opcode, len(payload)) + payload


def text_frame(text: bytes) -> bytes:
    return _head(WHOLE_TEXT, len(text)) + text


def close_frame(code: CloseCode, reason: str = "") -> bytes:
    text = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
    return frame(Opcode.CLOSE, struct.pack("!H", code) + text.encode())


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return SHORT.pack(first, 126, size)
    return LONG.pack(first, 127, size)
