"""MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 14.5 to 14.7), and their keys."""

from __future__ import annotations

import enum
import hashlib
import hmac
import struct
import zlib

from headgate.core.enumeration import plain_members
from headgate.engine import hmac_sha1, hmac_sha256
from headgate.turn.stun.message import HEADER_SIZE, Message

__all__ = [
    "FINGERPRINT_XOR",
    "Integrity",
    "PasswordAlgorithm",
    "fingerprint_holds",
    "holds",
    "long_term_key",
    "userhash",
]

FINGERPRINT_XOR = 0x5354554E
LENGTH = struct.Struct(">H")


@plain_members
class Integrity(enum.Enum):
    """How a message is protected; the answer is protected as the request was."""

    SHA1 = "sha1"
    SHA256 = "sha256"

    @property
    def size(self) -> int:
        """Bytes of the attribute's value."""
        return 20 if self is Integrity.SHA1 else 32


@plain_members
class PasswordAlgorithm(enum.IntEnum):
    """How a password becomes a key (RFC 8489 18.5)."""

    MD5 = 0x0001
    SHA256 = 0x0002


def long_term_key(*, user: str, realm: str, password: str, algorithm: PasswordAlgorithm) -> bytes:
    """RFC 8489 9.2.2, 18.5.1. All three are prepared already (`opaque_string`)."""
    text = f"{user}:{realm}:{password}".encode()
    if algorithm is PasswordAlgorithm.SHA256:
        return hashlib.sha256(text).digest()
    return hashlib.md5(text, usedforsecurity=False).digest()


def userhash(*, user: str, realm: str) -> bytes:
    """RFC 8489 14.4."""
    return hashlib.sha256(f"{user}:{realm}".encode()).digest()


def holds(message: Message, key: bytes) -> bool:
    """Whether its integrity attribute was made with this key; of two the SHA-256 one decides."""
    if at := message.integrity_sha256_at:
        size, digest = LENGTH.unpack_from(message.data, at + 2)[0], hmac_sha256
    elif at := message.integrity_at:
        size, digest = 20, hmac_sha1
    else:
        return False
    data = message.data
    length = LENGTH.pack(at - HEADER_SIZE + 4 + size)
    expected = digest(key, data[:2] + length + data[4:at])
    return hmac.compare_digest(expected[:size], data[at + 4 : at + 4 + size])


def fingerprint_holds(message: Message) -> bool:
    """True where there is none."""
    at = message.fingerprint_at
    if not at:
        return True
    expected = zlib.crc32(message.data[:at]) ^ FINGERPRINT_XOR
    return expected == int.from_bytes(message.data[at + 4 : at + 8])
