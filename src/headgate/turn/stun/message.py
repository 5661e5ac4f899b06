"""A STUN message as it comes off the wire (RFC 8489 5 and 14).

This is read for every request of every stranger, so it makes one dictionary and no object for
each attribute. What an attribute means is read by who needs it.
"""

from __future__ import annotations

import enum
import struct

from headgate.core.enumeration import plain_members
from headgate.turn.stun.attribute import KNOWN, OF_DISCOVERY

__all__ = ["HEADER_SIZE", "MAGIC", "MOST_ATTRIBUTES", "Malformed", "Message", "MessageClass", "Method"]

MAGIC = 0x2112A442
HEADER_SIZE = 20
MOST_ATTRIBUTES = 128
"""Of one message. The largest that a client has a use for is a CreatePermission of some dozen peers."""

HEADER = struct.Struct(">HHI")
TLV = struct.Struct(">HH")

# As plain numbers, because an enum's members cost a look-up each in the loop below.
_PEER = 0x0012
_INTEGRITY = 0x0008
_INTEGRITY_SHA256 = 0x001C
_FINGERPRINT = 0x8028


@plain_members
class Method(enum.IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    CONNECT = 0x00A
    CONNECTION_BIND = 0x00B
    CONNECTION_ATTEMPT = 0x00C


@plain_members
class MessageClass(enum.IntEnum):
    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS = 0b10
    ERROR = 0b11


class Malformed(ValueError):
    """The bytes are no STUN message, or an attribute has not the form its type says. Nothing is answered to
    the first; the second is a 400.
    """


class Message:
    """A parsed message. `attributes` has the first value of each type (duplicates are ignored, RFC 8489 14)
    up to the first integrity attribute; what stands after it was not protected, and is not there.
    """

    __slots__ = (
        "attributes",
        "data",
        "fingerprint_at",
        "integrity_at",
        "integrity_sha256_at",
        "message_class",
        "method",
        "peers",
        "transaction",
        "unknown",
    )

    def __init__(self, data: bytes) -> None:
        """Read it. Raises Malformed, whatever the bytes."""
        size = len(data)
        if size < HEADER_SIZE:
            raise Malformed("it is shorter than a header")
        kind, length, cookie = HEADER.unpack_from(data)
        if kind & 0xC000 or cookie != MAGIC or length & 3 or length + HEADER_SIZE != size:
            raise Malformed("it has no header of STUN")
        self.data = data
        self.method = (kind & 0x000F) | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
        """One of `Method`, or another number."""
        self.message_class = (kind & 0x0010) >> 4 | (kind & 0x0100) >> 7
        self.transaction = data[8:20]
        self.attributes: dict[int, bytes] = {}
        self.peers: list[bytes] = []
        """Every XOR-PEER-ADDRESS: CreatePermission may have many (RFC 8656 10)."""
        self.unknown: list[int] = []
        """Types that must be understood and are not, those of RFC 5780 among them."""
        self.integrity_at = self.integrity_sha256_at = self.fingerprint_at = 0
        """Where these attributes begin; 0: there is none."""
        if size > HEADER_SIZE:
            self._read(data, size)

    def _read(self, data: bytes, size: int) -> None:
        attributes, unpack = self.attributes, TLV.unpack_from
        offset, left = HEADER_SIZE, MOST_ATTRIBUTES
        is_protected = False
        while offset < size:
            kind, length = unpack(data, offset)  # the size is a multiple of 4: these 4 bytes are there
            start = offset + 4
            end = start + length
            left -= 1
            if end > size or not left:
                raise Malformed(
                    "an attribute ends after the message" if left else "it has too many attributes"
                )
            if kind == _FINGERPRINT:
                self.fingerprint_at = offset
                if end != size:
                    raise Malformed("FINGERPRINT is not the last attribute")  # RFC 8489 14.7
                if length != 4:
                    raise Malformed("FINGERPRINT has not 4 bytes")
            elif kind == _INTEGRITY_SHA256:
                if not self.integrity_sha256_at:
                    if length < 16 or length > 32 or length & 3:  # RFC 8489 14.6
                        raise Malformed("MESSAGE-INTEGRITY-SHA256 has not 16 to 32 bytes")
                    self.integrity_sha256_at = offset
                    is_protected = True
            elif is_protected:
                pass  # RFC 8489 14.5: nothing else after an integrity attribute is looked at
            elif kind == _INTEGRITY:
                if length != 20:
                    raise Malformed("MESSAGE-INTEGRITY has not 20 bytes")
                self.integrity_at = offset
                is_protected = True
            elif kind == _PEER:
                self.peers.append(data[start:end])
            elif kind not in attributes:
                attributes[kind] = data[start:end]
                if kind < 0x8000 and kind not in KNOWN:
                    self.unknown.append(kind)
            offset = (end + 3) & ~3

    @property
    def is_protected(self) -> bool:
        """Whether it carries an integrity attribute; that says nothing about whether it holds."""
        return bool(self.integrity_at or self.integrity_sha256_at)

    def not_understood(self, *, discovery: bool = False) -> list[int]:
        """The types for UNKNOWN-ATTRIBUTES; `discovery`: those of RFC 5780 are understood here."""
        if discovery and self.unknown:
            return [kind for kind in self.unknown if kind not in OF_DISCOVERY]
        return self.unknown

    def __repr__(self) -> str:
        method = next((each.name for each in Method if each == self.method), hex(self.method))
        return f"<Message {method} {MessageClass(self.message_class).name} {self.transaction.hex()}>"
