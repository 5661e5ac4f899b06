"""Nonces that are made and checked without keeping anything (RFC 8489 9.2, turn.md section 4).

    obMatJos2 AAAA              the nonce cookie and the security features (RFC 8489 9.2, 18.1), 13 characters
    time tag                    11 characters: 16 bits of seconds, 48 of keyed BLAKE2s over time and client

24 characters fill a NONCE attribute without padding, and keep a 401 small.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import struct
from collections.abc import Callable
from hashlib import blake2s

__all__ = ["COOKIES", "LIFETIME", "Nonces"]

LIFETIME = 600
"""Seconds. RFC 8489 9.2.1 leaves it to the server; an hour is the most it speaks of."""
ALGORITHMS, ANONYMITY = 0x800000, 0x400000
"""Bit 0: password algorithms, bit 1: user name anonymity (RFC 8489 18.1), of 24 bits."""
COOKIES = tuple(
    b"obMatJos2" + base64.b64encode(features.to_bytes(3)) for features in (ALGORITHMS, ALGORITHMS | ANONYMITY)
)
"""Without anonymity, and with."""
KEY_LIFETIME = 3600
"""Seconds after which a new key signs. The one before still holds until its nonces have run out."""
HEAD = len(COOKIES[0])
SIZE = HEAD + 11
TAG = 6
TIME = struct.Struct(">H")


class Nonces:
    def __init__(
        self, *, now: float, random: Callable[[int], bytes] = secrets.token_bytes, lifetime: float = LIFETIME
    ) -> None:
        self._random = random
        self._lifetime = lifetime
        self._key = self._former = random(32)
        self._rotated = now

    def make(self, client: bytes, *, now: float, anonymity: bool = False) -> bytes:
        """For one client: address, port and transport, in any form that is always the same.

        `anonymity`: names must be given hashed (RFC 8489 9.2.5), so that every one of them must be known.
        """
        if now - self._rotated >= KEY_LIFETIME:
            self._former, self._key, self._rotated = self._key, self._random(32), now
        return COOKIES[anonymity] + self._signed(self._key, TIME.pack(int(now) & 0xFFFF), client)

    def holds(self, nonce: bytes, client: bytes, *, now: float) -> bool:
        """Whether we made it, for this client, not long ago. Whatever the bytes."""
        if len(nonce) != SIZE or not nonce.startswith(COOKIES):
            return False
        try:
            inner = binascii.a2b_base64(nonce[HEAD:] + b"=", strict_mode=True)
        except binascii.Error:
            return False
        (then,) = TIME.unpack_from(inner)
        if (int(now) - then) & 0xFFFF > self._lifetime:
            return False
        if hmac.compare_digest(self._signed(self._key, inner[:2], client), nonce[HEAD:]):
            return True
        # Made before the key was changed, if that is not longer ago than a nonce lives.
        return now - self._rotated <= self._lifetime and hmac.compare_digest(
            self._signed(self._former, inner[:2], client), nonce[HEAD:]
        )

    @staticmethod
    def _signed(key: bytes, then: bytes, client: bytes) -> bytes:
        # Keyed BLAKE2s (RFC 7693) is a MAC at a third of what HMAC costs through OpenSSL.
        tag = blake2s(then + client, digest_size=TAG, key=key).digest()
        return binascii.b2a_base64(then + tag, newline=False)[:-1]
