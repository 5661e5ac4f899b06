"""Frames of RFC 6455, section 5.2."""

from __future__ import annotations

import enum
import struct

__all__ = ["CloseCode", "Opcode", "close_frame", "frame", "text_frame"]


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
LONGEST_REASON = 123  # bytes; a control frame has 125


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """A whole message in one frame. The server's are not masked, so one serves every receiver."""
    size = len(payload)
    if size < 126:
        return bytes((FIN | opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", FIN | opcode, 126, size) + payload
    return struct.pack("!BBQ", FIN | opcode, 127, size) + payload


def text_frame(text: bytes) -> bytes:
    return frame(Opcode.TEXT, text)


def close_frame(code: CloseCode, reason: str = "") -> bytes:
    text = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
    return frame(Opcode.CLOSE, struct.pack("!H", code) + text.encode())
