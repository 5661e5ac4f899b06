"""What a client's bytes say: one message at a time, so that whoever paces it can stop in between."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from websockets.speedups import apply_mask

from headgate.rooms.websocket.frame import WHOLE_TEXT, CloseCode, Opcode

__all__ = ["BinaryIgnored", "Closing", "Event", "Failure", "Machine", "Ping", "Pong", "Text"]

MESSAGE_LIMIT = 1 << 20
"""Bytes; the old server's."""
FRAGMENT_LIMIT = 1024
"""Of one message. Libraries cut at 4 kB or more, and browsers not at all."""
# As plain numbers: finding an enumeration's member takes longer, and this is every message's way.
CONTINUATION, TEXT, CLOSE = int(Opcode.CONTINUATION), int(Opcode.TEXT), int(Opcode.CLOSE)
PING, PONG = int(Opcode.PING), int(Opcode.PONG)
KNOWN = frozenset(map(int, Opcode))
SHORT, LONG = struct.Struct("!H"), struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Text:
    text: bytes
    """Not checked to be UTF-8: whoever decodes it does that anyway."""


@dataclass(frozen=True, slots=True)
class BinaryIgnored:
    """No document is binary; it counts for the rate all the same."""


@dataclass(frozen=True, slots=True)
class Ping:
    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Closing:
    """The client's close frame. `NO_STATUS` where it has no code."""

    code: int


class Failure(Exception):
    """The client broke the protocol; close with `code`, and read no more."""

    def __init__(self, code: CloseCode, text: str) -> None:
        super().__init__(text)
        self.code = code


Event = Text | BinaryIgnored | Ping | Pong | Closing


class Machine:
    """`receive` bytes, then take events with `next` as long as there are any.

    What is not taken stays: stop receiving when much waits (`waiting`).
    """

    __slots__ = ("_at", "_buffer", "_fragments", "_kind", "_message", "waiting")

    def __init__(self) -> None:
        # The empty one is shared: most connections are silent most of the time.
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._message: bytearray | None = None
        self._kind = Opcode.TEXT
        self._fragments = 0
        self.waiting = 0
        """Bytes received that no event has been made of."""

    def receive(self, data: bytes) -> None:
        before, self.waiting = self.waiting, self.waiting + len(data)
        if not before:
            self._buffer, self._at = data, 0
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        # Neither copies all that waits, however small the pieces are that it comes in.
        del self._buffer[: self._at]
        self._buffer += data
        self._at = 0

    def next(self) -> Event | None:
        """The next event; None: more bytes are wanted. Raises Failure."""
        while True:
            buffer, at = self._buffer, self._at
            present = self.waiting
            if present < 2:
                return None
            first, second = buffer[at], buffer[at + 1]
            opcode, size, head = first & 0x0F, second & 0x7F, 2
            if first & 0x70:
                raise Failure(CloseCode.PROTOCOL_ERROR, "a reserved bit is set")  # RFC 6455 5.2
            if not second & 0x80:
                raise Failure(CloseCode.PROTOCOL_ERROR, "a frame is not masked")  # RFC 6455 5.1
            if opcode not in KNOWN:
                raise Failure(CloseCode.PROTOCOL_ERROR, "an unknown opcode")
            if opcode >= CLOSE and (size > 125 or not first & 0x80):
                raise Failure(CloseCode.PROTOCOL_ERROR, "a control frame is long or cut")  # RFC 6455 5.5
            if size >= 126:
                form = SHORT if size == 126 else LONG
                head += form.size
                if present < head:
                    return None
                (size,) = form.unpack_from(buffer, at + 2)
            before = 0 if self._message is None or opcode >= CLOSE else len(self._message)
            if size + before > MESSAGE_LIMIT:
                raise Failure(CloseCode.TOO_BIG, "a message is too big")
            if present < head + 4 + size:
                return None
            start = at + head + 4
            payload = apply_mask(buffer[start : start + size], buffer[start - 4 : start]) if size else b""
            self.waiting = present - head - 4 - size
            if self.waiting:
                self._at = start + size
            else:
                self._buffer, self._at = b"", 0
            if first == WHOLE_TEXT and self._message is None:
                return Text(payload)
            event = self._event(opcode, payload, final=bool(first & 0x80))
            if event is not None:
                return event

    def _event(self, opcode: int, payload: bytes, *, final: bool) -> Event | None:
        if opcode >= CLOSE:
            if opcode == CLOSE:
                return _closing(payload)
            return Ping(payload) if opcode == PING else Pong()
        message = self._message
        if opcode == CONTINUATION:
            if message is None:
                raise Failure(CloseCode.PROTOCOL_ERROR, "a continuation of nothing")  # RFC 6455 5.4
        elif message is not None:
            raise Failure(CloseCode.PROTOCOL_ERROR, "a message within a message")
        elif final:
            return Text(payload) if opcode == TEXT else BinaryIgnored()
        else:
            self._kind, self._fragments = Opcode(opcode), 0
            message = self._message = bytearray()
        self._fragments += 1
        if self._fragments > FRAGMENT_LIMIT:
            raise Failure(CloseCode.POLICY, "a message has too many fragments")
        message += payload
        if not final:
            return None
        self._message = None
        return Text(bytes(message)) if self._kind is Opcode.TEXT else BinaryIgnored()


def _closing(payload: bytes) -> Closing:
    """RFC 6455 7.1.5."""
    if not payload:
        return Closing(CloseCode.NO_STATUS)
    if len(payload) == 1:
        raise Failure(CloseCode.PROTOCOL_ERROR, "a close frame with half a code")
    (code,) = struct.unpack_from("!H", payload)
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise Failure(CloseCode.PROTOCOL_ERROR, "a close code that may not be sent")  # RFC 6455 7.4
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Failure(CloseCode.INVALID_DATA, "a reason that is not UTF-8") from None
    return Closing(code)
