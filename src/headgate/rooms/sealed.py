"""Values that we give away and believe when they come back: signed, dated, and fit for a URL."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math

__all__ = ["Seal"]

LIMIT = 4096  # characters
MAC_SIZE = 32
CLOCK_SLACK = 60  # seconds that a value may come from the future, after a clock was set back


class Seal:
    """HMAC-SHA256 over the kind and the value. What is inside can be read by whoever has it."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.sha256(b"headgate rooms seal" + key).digest()

    def seal(self, kind: str, *values: str, now: float) -> str:
        """`now`: Unix time. Values of one kind are never taken for another's."""
        body = json.dumps([int(now), *values], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(kind, body) + body).rstrip(b"=").decode()

    def open(self, kind: str, text: str, *, now: float, age: float = math.inf) -> tuple[str, ...] | None:
        """What was sealed at most `age` seconds ago; None for anything else."""
        if len(text) > LIMIT:
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        mac, body = raw[:MAC_SIZE], raw[MAC_SIZE:]
        if not hmac.compare_digest(mac, self._mac(kind, body)):
            return None
        sealed, *values = json.loads(body)  # ours, as the signature says
        return tuple(values) if -CLOCK_SLACK <= now - sealed <= age else None

    def _mac(self, kind: str, body: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b"\0" + body, "sha256")
