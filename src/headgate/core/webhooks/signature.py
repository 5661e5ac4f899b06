"""How whoever gets a webhook knows that it is ours, and not an old one sent again."""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["HEADER", "sign"]

HEADER = "Headgate-Signature"


def sign(body: bytes, *, secret: str, at: int) -> str:
    """The header's value, "t=<Unix time>,v1=<hex>": HMAC-SHA256 of the time, a dot and the body."""
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
