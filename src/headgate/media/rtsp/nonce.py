"""The nonces of one connection's Digest challenges (RFC 7616 3.3)."""

from __future__ import annotations

import hmac
import secrets

__all__ = ["LIFETIME", "Nonce"]

LIFETIME = 300.0  # seconds; a player that sends a request later than that is told a new one
BYTES = 16


class Nonce:
    """One at a time, of this connection alone, so what was overheard is of no use on another one."""

    def __init__(self) -> None:
        self._value = ""
        self._made = 0.0
        self._count = 0
        """The highest that the client has used it with."""

    def current(self, now: float) -> str:
        """What to challenge with."""
        if not self._value or self._is_old(now):
            self._value, self._made, self._count = secrets.token_hex(BYTES), now, 0
        return self._value

    def is_valid(self, value: str, now: float) -> bool:
        """Whether it is what a client was last challenged with, and lately."""
        known = bool(self._value) and hmac.compare_digest(self._value.encode(), value.encode())
        return known and not self._is_old(now)

    def use(self, count: int) -> bool:
        """Whether the client may use it with this count. 0: it does not count (RFC 2069)."""
        if count == 0:
            return self._count == 0
        if count <= self._count:
            return False
        self._count = count
        return True

    def _is_old(self, now: float) -> bool:
        return now >= self._made + LIFETIME
