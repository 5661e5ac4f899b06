"""Who may use the relay: users with passwords, and time-limited names made from a shared secret.

A shared secret's names are `expiry:user` (Unix time; "draft-uberti-behave-turn-rest"), its passwords
base64(HMAC-SHA1(secret, name)), as coturn, eturnal and turn-rs have them.
"""

from __future__ import annotations

import base64
import functools
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from headgate.core.errors import Refused
from headgate.core.relay_credentials import RelayCredential
from headgate.turn.opaque_string import LONGEST_NAME, opaque_string
from headgate.turn.stun.integrity import PasswordAlgorithm, long_term_key, userhash

__all__ = ["Candidate", "Credentials", "Remembered", "rest_password"]

SEPARATOR = ":"
LONGEST_EXPIRY = 11  # digits
LONGEST_TTL = 86_400.0 * 7
"""Seconds that a minted credential may live."""
KEYS = 1024
"""Names whose keys need not be made anew; the one used longest ago goes first."""
REMEMBERED = 4096
"""Users that another server vouched for; the one asked for longest ago goes first."""


class Candidate(Struct, frozen=True, gc=False):
    """A key that a name may have. Whether the client has it is for MESSAGE-INTEGRITY to show."""

    user: str
    """Whom quotas count for: the name without its expiry, so that a fresh one is no way around them."""
    password: str
    expires: float | None = None
    """Unix time."""
    until: float | None = None
    """Monotonic time until which another server's word for it need not be asked for again."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What another server said of a name."""

    password: str | None
    """None: it does not know the name."""
    expires: float | None
    until: float
    """Monotonic time until which it need not be asked again."""


class Credentials:
    """What the configuration says never changes: another configuration makes another of these."""

    def __init__(
        self,
        *,
        realm: str,
        users: Mapping[str, str],
        secrets: Sequence[str],
        urls: Sequence[str] = (),
        asks: bool = False,
    ) -> None:
        """Raises ValueError for a realm or user that is no name."""
        self.realm = opaque_string(realm)
        self.realm_bytes = self.realm.encode()
        self.urls = urls
        self.asks = asks
        """Whether another server knows names that we do not."""
        self._users = {opaque_string(name): opaque_string(password) for name, password in users.items()}
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._by_hash = {userhash(user=name, realm=self.realm): name for name in self._users}
        # A client asks four times and more, each time with the same key. What is not configured is not kept:
        # strangers' names would take the place of users'.
        self._configured_keys = functools.lru_cache(maxsize=KEYS)(self._made_keys)
        self._key = functools.lru_cache(maxsize=KEYS)(self._made_key)
        self.remembered: dict[str, Remembered] = {}
        """By name: what an HTTP server said. Bounded."""

    def name_of(self, hashed: bytes) -> str | None:
        """A USERHASH's name: a user's. (A time-limited name is not known before it is used in the clear.)"""
        return self._by_hash.get(hashed)

    @property
    def knows_all_names(self) -> bool:
        """Whether every name is a configured user's. One that is known by its hash alone can be no other."""
        return not (self._secrets or self.asks)

    def candidates(self, name: str) -> Iterator[Candidate]:
        """All that the name may be, an HTTP server's word last."""
        yield from self._configured(name)
        known = self._vouched_for(name)
        if known is not None:
            yield known

    def keys(self, name: str, algorithm: PasswordAlgorithm) -> Sequence[tuple[Candidate, bytes]]:
        """Each candidate with what the name's messages are protected with, if it is that."""
        try:
            configured = self._configured_keys(name, algorithm)
        except LookupError:
            configured = ()
        known = self._vouched_for(name)
        if known is None:
            return configured
        return (*configured, (known, self._key(name, known.password, algorithm)))

    def _configured(self, name: str) -> Iterator[Candidate]:
        password = self._users.get(name)
        if password is not None:
            yield Candidate(name, password)
        timestamp, _, user = name.partition(SEPARATOR)
        if timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= LONGEST_EXPIRY:
            expires = float(timestamp)
            for secret in self._secrets:
                yield Candidate(user or name, rest_password(secret, name), expires)

    def _vouched_for(self, name: str) -> Candidate | None:
        known = self.remembered.get(name)
        if known is None or known.password is None:
            return None
        return Candidate(name, known.password, known.expires, known.until)

    def _made_keys(self, name: str, algorithm: PasswordAlgorithm) -> tuple[tuple[Candidate, bytes], ...]:
        """Raises LookupError for who is not configured."""
        keys = tuple((one, self._key(name, one.password, algorithm)) for one in self._configured(name))
        if not keys:
            raise LookupError(name)
        return keys

    def _made_key(self, name: str, password: str, algorithm: PasswordAlgorithm) -> bytes:
        return long_term_key(user=name, realm=self.realm, password=password, algorithm=algorithm)

    def is_configured(self, name: str) -> bool:
        """Whether the name is decided here, and nobody else need be asked."""
        return next(self.candidates(name), None) is not None

    def still_admits(self, name: str, *, before: Credentials) -> bool:
        """Whether whoever got in by what was configured before has not lost their access: their password is
        what it was, or the same other server's word about them is forgotten by now.
        """
        old = {candidate.password for candidate in before.candidates(name)}
        if not old:
            return self.asks and self.remembered is before.remembered and name not in self.remembered
        return any(candidate.password in old for candidate in self.candidates(name))

    def remember(self, name: str, said: Remembered) -> None:
        self.remembered.pop(name, None)
        self.remembered[name] = said
        while len(self.remembered) > REMEMBERED:
            del self.remembered[next(iter(self.remembered))]

    def mint(self, *, user: str, ttl: float, now: float) -> RelayCredential:
        """A time-limited name and its password. `now` is Unix time.

        Raises ValueError for a user that is no name or a time out of bounds, Refused without a secret.
        """
        if not self._secrets:
            raise Refused("there is no shared secret to make credentials with (turn.authSecrets)")
        if not 0 < ttl <= LONGEST_TTL:
            raise ValueError(f"a credential lives for more than 0 and at most {LONGEST_TTL:g} seconds")
        name = opaque_string(f"{int(now + ttl)}{SEPARATOR}{user}" if user else str(int(now + ttl)))
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"a credential's name has at most {LONGEST_NAME} bytes")
        return RelayCredential(
            name=name, password=rest_password(self._secrets[0], name), ttl=ttl, urls=tuple(self.urls)
        )


def rest_password(secret: bytes, name: str) -> str:
    return base64.b64encode(hmac.digest(secret, name.encode(), "sha1")).decode()
