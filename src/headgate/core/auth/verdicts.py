"""Answers that are remembered for a while, without the secrets they were about."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Verdicts"]

CAPACITY = 4096  # a hundred bytes each; the least recently used goes first
V = TypeVar("V")


class Verdicts(Generic[V]):
    """Keys are HMACs under a key of this process, so that a memory dump has no passwords to look up."""

    def __init__(self, *, lifetime: float, now: Callable[[], float] = time.monotonic) -> None:
        self._lifetime = lifetime
        self._now = now
        self._secret = secrets.token_bytes(32)
        self._entries: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, *parts: str) -> bytes:
        """Of all parts together; ("ab", "c") and ("a", "bc") differ."""
        encoded = [part.encode(errors="surrogatepass") for part in parts]
        framed = b"".join(len(part).to_bytes(8) + part for part in encoded)
        return hmac.digest(self._secret, framed, hashlib.sha256)

    def get(self, key: bytes) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._now():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: bytes, verdict: V) -> None:
        self._entries[key] = (self._now() + self._lifetime, verdict)
        self._entries.move_to_end(key)
        if len(self._entries) > CAPACITY:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()
