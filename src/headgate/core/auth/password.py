"""Whether a text is the one that a credential of the configuration stands for."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import argon2

from headgate.core.auth.turns import Turns
from headgate.core.auth.verdicts import Verdicts
from headgate.core.errors import Unavailable

__all__ = ["ARGON2", "Passwords"]

SHA256 = "sha256:"
ARGON2 = "argon2:"
THREADS = 2
"""An Argon2 hash takes tens of megabytes and a tenth of a second of a core, by design."""
QUEUE = 32
"""Hashes that wait or run; past it logins are refused rather than kept for seconds."""
SHARE = 8
"""Of these, how many one address may have: a flood from there leaves room for others."""
LIFETIME = 60.0
"""Seconds a verdict on an Argon2 hash is remembered."""
SIZE_LIMIT = 1024
"""In characters. No configured credential is so long, and nobody's hashing time is free."""


class Passwords:
    """`known` where it costs nothing, else `check`."""

    def __init__(self) -> None:
        self._verdicts: Verdicts[bool] = Verdicts(lifetime=LIFETIME)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._turns = Turns(THREADS)
        self._hasher = argon2.PasswordHasher()
        self._waiting: Counter[str] = Counter()
        """Hashes that wait or run, by the address that asked."""

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def known(self, credential: str, given: str, *, user: str) -> bool | None:
        """None: only `check` can tell."""
        if len(given) > SIZE_LIMIT:
            return False
        if credential.startswith(ARGON2):
            return self._verdicts.get(self._verdicts.key(credential, user, given))
        if credential.startswith(SHA256):
            digest = hashlib.sha256(given.encode(errors="surrogatepass")).digest()
            return hmac.compare_digest(_decoded(credential.removeprefix(SHA256)), digest)
        # Through a hash, whose time depends on the given text alone and not on what is expected.
        return hmac.compare_digest(_digest(credential), _digest(given))

    async def check(self, credential: str, given: str, *, user: str, ip: str) -> bool:
        """Raises Unavailable when too many wait already.

        `user` is part of what is remembered, or a name that is answered at once would be one
        whose password somebody else has tried.
        """
        known = self.known(credential, given, user=user)
        if known is not None:
            return known
        if self._waiting.total() >= QUEUE or self._waiting[ip] >= SHARE:
            raise Unavailable
        self._waiting[ip] += 1
        try:
            async with self._turns.turn(ip):
                verdict = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._verify, credential.removeprefix(ARGON2), given
                )
        finally:
            self._waiting[ip] -= 1
            if not self._waiting[ip]:
                del self._waiting[ip]
        self._verdicts.put(self._verdicts.key(credential, user, given), verdict)
        return verdict

    def _verify(self, encoded: str, given: str) -> bool:
        try:
            return self._hasher.verify(encoded, given.encode(errors="surrogatepass"))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
