"""How messages are protected, and with what keys (RFC 8489 9.2.2 and 14.4 to 14.6)."""

from __future__ import annotations

import enum
import hashlib

from headgate.core.enumeration import plain_members

__all__ = ["Integrity", "PasswordAlgorithm", "long_term_key", "userhash"]


@plain_members
class Integrity(enum.IntEnum):
    """How a message is protected; the answer is protected as the request was. The number is the bytes of
    the attribute's value.
    """

    SHA1 = 20
    SHA256 = 32


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
