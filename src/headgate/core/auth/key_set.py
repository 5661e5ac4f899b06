"""The keys of those who sign tokens (RFC 7517), fetched seldom."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt

from headgate.core.auth import outbound
from headgate.core.auth.outbound import Outbound
from headgate.core.errors import Unavailable

__all__ = ["INTERVAL", "KeySet", "VerificationKey"]

logger = logging.getLogger(__name__)

LIFETIME = 3600.0
"""Seconds after which the keys are fetched anew, while the old ones go on serving."""
INTERVAL = 60.0
"""Seconds between two fetches at least: anybody can send a key id that nobody has."""
FIRST_INTERVAL = 5.0
"""The same while there are no keys at all, and nobody can come in."""
KEY_LIMIT = 100
RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC_ALGORITHMS = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


@dataclass(frozen=True, slots=True)
class VerificationKey:
    key: Any
    """What `jwt.decode` takes."""
    algorithms: tuple[str, ...]
    """What it may be used with, whatever a token says."""


class KeySet:
    """A failed fetch leaves the keys there are."""

    def __init__(
        self, url: str, *, fingerprint: str, client: Outbound, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._fingerprint = fingerprint
        self._client = client
        self._now = now
        self._keys: Mapping[str, VerificationKey] = {}
        self._fetched: float | None = None
        self._asked: float | None = None
        self._fetching = asyncio.Lock()

    def find(self, kid: str | None) -> VerificationKey | None:
        """The key of this id. A set of one key needs no id."""
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    @property
    def stale(self) -> bool:
        """Whether it is time to fetch, although the keys serve."""
        return self._fetched is not None and self._now() >= self._fetched + LIFETIME and self._may_ask

    @property
    def _may_ask(self) -> bool:
        interval = INTERVAL if self._keys else FIRST_INTERVAL
        return self._asked is None or self._now() >= self._asked + interval

    def expect_new_keys(self) -> None:
        """The next key that is not known may be asked for at once: an operator says that they changed."""
        self._asked = None

    async def refresh(self) -> None:
        """Fetch, unless that was just done; who comes while it is under way waits for it,
        `TURN_TIMEOUT` at most.

        Raises Unavailable.
        """
        async with self._turn():
            if not self._may_ask:
                return
            self._asked = self._now()
            keys = _read(await self._client.get(self._url, fingerprint=self._fingerprint))
            self._keys, self._fetched = keys, self._now()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(outbound.TURN_TIMEOUT):
                await self._fetching.acquire()
        except TimeoutError:
            raise Unavailable from None
        try:
            yield
        finally:
            self._fetching.release()


def _read(body: bytes) -> dict[str, VerificationKey]:
    """Keys that verify. Those of kinds nobody here knows are left out (RFC 7517 5). Raises Unavailable."""
    try:
        listed = list(json.loads(body)["keys"])
    except (ValueError, KeyError, TypeError, RecursionError):
        logger.warning("the key set cannot be read")
        raise Unavailable from None
    keys: dict[str, VerificationKey] = {}
    for number, listed_key in enumerate(listed[:KEY_LIMIT]):
        if isinstance(listed_key, dict) and (key := _key(listed_key)) is not None:
            keys[str(listed_key.get("kid", number))] = key
    return keys


def _key(document: dict[str, Any]) -> VerificationKey | None:
    algorithms = _algorithms(document)
    if not algorithms or document.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in document.items() if name not in PRIVATE}
    try:
        return VerificationKey(jwt.PyJWK(public, algorithms[0]).key, algorithms)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


def _algorithms(document: dict[str, Any]) -> tuple[str, ...]:
    """By the kind of key, and the one it names. A shared secret ("oct") has none: everybody can fetch it."""
    match document.get("kty"):
        case "RSA":
            kind: tuple[str, ...] = RSA_ALGORITHMS
        case "EC":
            kind = EC_ALGORITHMS.get(str(document.get("crv")), ())
        case "OKP":
            kind = ("EdDSA",)
        case _:
            kind = ()
    named = document.get("alg")
    return kind if named is None else tuple(algorithm for algorithm in kind if algorithm == named)
