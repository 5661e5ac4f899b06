"""The `Authorization` header (RFC 9110 11.6.2): Basic, Bearer and Digest, and what asks for them."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["REALM", "Algorithm", "Authorization", "Basic", "Bearer", "Digest", "DigestProof", "parse"]

REALM = "headgate"
SIZE_LIMIT = 16_384
PARAMETER = re.compile(r'\s*([a-zA-Z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')
COUNT = re.compile(r"[0-9a-fA-F]{8}")


class Algorithm(enum.StrEnum):
    """RFC 7616 3.3. The session variants are for gateways that cache; no player uses them."""

    SHA256 = "SHA-256"
    MD5 = "MD5"

    def digest(self, text: str) -> str:
        name = "sha256" if self is Algorithm.SHA256 else "md5"
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Basic:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """RFC 7616 3.4, and RFC 2069's form, which has no `qop`."""

    user: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: Algorithm
    qop: str = ""
    """"auth", or "" where the client takes no part in the nonce."""
    count: int = 0
    """`nc`: how often the client has used the nonce, this time included."""
    cnonce: str = ""


Authorization: TypeAlias = Basic | Bearer | Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestProof:
    """A Digest and the method it came with."""

    digest: Digest
    method: str

    @property
    def user(self) -> str:
        return self.digest.user

    def proves(self, *, password: str) -> bool:
        """RFC 7616 3.4.1."""
        given = self.digest
        hashed = given.algorithm.digest
        secret = hashed(f"{given.user}:{given.realm}:{password}")
        about = hashed(f"{self.method}:{given.uri}")
        middle = f"{given.nonce}:{given.count:08x}:{given.cnonce}:auth" if given.qop else given.nonce
        return hmac.compare_digest(hashed(f"{secret}:{middle}:{about}"), given.response)


def parse(header: str) -> Authorization | None:
    """None for what cannot be understood, which is as good as wrong credentials."""
    scheme, _, rest = header.strip().partition(" ")
    if len(header) > SIZE_LIMIT:
        return None
    match scheme.lower():
        case "basic":
            return _basic(rest.strip())
        case "bearer":
            return Bearer(rest.strip()) if rest.strip() else None
        case "digest":
            return _digest(rest)
    return None


def _basic(encoded: str) -> Basic | None:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:  # of base64 as of UTF-8
        return None
    user, colon, password = text.partition(":")
    return Basic(user, password) if colon else None


def _digest(text: str) -> Digest | None:
    values: dict[str, str] = {}
    end = 0
    while end < len(text):
        found = PARAMETER.match(text, end)
        if found is None or found[1].lower() in values:
            return None
        quoted = found[2]
        values[found[1].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[3]
        end = found.end()
    qop, count = values.get("qop", ""), values.get("nc", "")
    if qop and (qop != "auth" or not COUNT.fullmatch(count) or not values.get("cnonce")):
        return None
    try:
        return Digest(
            user=values["username"],
            realm=values["realm"],
            nonce=values["nonce"],
            uri=values["uri"],
            response=values["response"].lower().encode("ascii").decode(),
            algorithm=Algorithm(values.get("algorithm", Algorithm.MD5).upper()),
            qop=qop,
            count=int(count, 16) if qop else 0,
            cnonce=values.get("cnonce", ""),
        )
    except (KeyError, ValueError):
        return None
