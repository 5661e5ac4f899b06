"""Building messages (RFC 8489 5 and 14). Padding is zero, always: it must not carry anybody's bytes."""

from __future__ import annotations

import struct
import zlib
from typing import Self

from headgate.engine import hmac_sha1, hmac_sha256
from headgate.turn.stun.address import xor_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import FINGERPRINT_XOR, Integrity
from headgate.turn.stun.message import HEADER_SIZE, MAGIC, MessageClass

__all__ = ["Answer"]

HEADER = struct.Struct(">HHI12s")
TLV = struct.Struct(">HH")
LENGTH = struct.Struct(">H")
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class Answer:
    """A message under construction: attributes in the order in which they are added, `finish` once."""

    __slots__ = ("_buffer", "_transaction")

    def __init__(self, method: int, message_class: MessageClass, transaction: bytes) -> None:
        kind = (
            (method & 0x000F)
            | (method & 0x0070) << 1
            | (method & 0x0F80) << 2
            | (message_class & 1) << 4
            | (message_class & 2) << 7
        )
        self._buffer = bytearray(HEADER.pack(kind, 0, MAGIC, transaction))
        self._transaction = transaction

    def add(self, attribute: int, value: bytes) -> Self:
        size = len(value)
        self._buffer += TLV.pack(attribute, size) + value + PADDING[size & 3]
        return self

    def add_number(self, attribute: int, value: int) -> Self:
        """One of 32 bits: LIFETIME, CONNECTION-ID."""
        self._buffer += TLV.pack(attribute, 4) + value.to_bytes(4)
        return self

    def add_xor_address(self, attribute: int, host: str, port: int) -> Self:
        value = xor_address(host, port, self._transaction)
        self._buffer += TLV.pack(attribute, len(value)) + value
        return self

    def add_error(self, code: int, reason: bytes = b"") -> Self:
        """RFC 8489 14.8. A reason costs bytes that a stranger could have sent to somebody else."""
        value = bytes((0, 0, code // 100, code % 100)) + reason
        return self.add(Attribute.ERROR_CODE, value)

    def finish(
        self, *, key: bytes | None = None, integrity: Integrity = Integrity.SHA1, fingerprint: bool = False
    ) -> bytes:
        """`key`: protect it; `fingerprint`: with FINGERPRINT, as the request had it."""
        buffer = self._buffer
        if key is not None:
            is_sha256 = integrity is Integrity.SHA256
            size = 32 if is_sha256 else 20
            LENGTH.pack_into(buffer, 2, len(buffer) - HEADER_SIZE + 4 + size)
            digest = (hmac_sha256 if is_sha256 else hmac_sha1)(key, bytes(buffer))
            kind = 0x001C if is_sha256 else 0x0008
            buffer += TLV.pack(kind, size) + digest
        if fingerprint:
            LENGTH.pack_into(buffer, 2, len(buffer) - HEADER_SIZE + 8)
            buffer += TLV.pack(0x8028, 4) + (zlib.crc32(buffer) ^ FINGERPRINT_XOR).to_bytes(4)
        LENGTH.pack_into(buffer, 2, len(buffer) - HEADER_SIZE)
        return bytes(buffer)
