"""Nonces that are made and checked without keeping anything (RFC 8489 9.2, turn.md section 4).

    obMatJos2 AAAA              the nonce cookie and the security features (RFC 8489 9.2, 18.1), 13 characters
    time tag                    11 characters, made by the engine: 16 bits of seconds, 48 of a MAC

24 characters fill a NONCE attribute without padding, and keep a 401 small.
"""

from __future__ import annotations

import base64

from headgate.engine import Nonces as Tags

__all__ = ["COOKIES", "HEAD", "LIFETIME", "Nonces"]

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


class Nonces:
    def __init__(self, *, now: float) -> None:
        self.tags = Tags(lifetime=LIFETIME, key_lifetime=KEY_LIFETIME, now=now)
        """What follows the cookie. The engine makes them too, with the same keys."""

    def make(self, client: bytes, *, now: float, anonymity: bool = False) -> bytes:
        """For one client: `FiveTuple.client`.

        `anonymity`: names must be given hashed (RFC 8489 9.2.5), so that every one of them must be known.
        """
        return COOKIES[anonymity] + self.tags.make(client, now=now)

    def holds(self, nonce: bytes, client: bytes, *, now: float) -> bool:
        """Whether we made it, for this client, not long ago. Whatever the bytes."""
        return nonce.startswith(COOKIES) and self.tags.holds(nonce[HEAD:], client, now=now)
