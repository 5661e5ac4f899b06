"""A client's answers to a server that asks who it is: Basic (RFC 7617) and Digest (RFC 2617, 7616)."""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Credentials", "Login"]

# One challenge is a scheme and its parameters; servers send several in one header or in several.
PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
SCHEME = re.compile(r"[\s,]*([A-Za-z]+)(?=[\s,]|$)")
CHALLENGE_LIMIT = 8
"""Servers in the field send two or three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Of a source's URL. They are never shown: neither in a log, nor in an answer of an API."""

    user: str
    password: str = field(repr=False)


class _Algorithm(enum.IntEnum):
    """The greater the better."""

    BASIC = 0
    MD5 = 1
    SHA_256 = 2


HASHES: Mapping[_Algorithm, Callable[[bytes], str]] = {
    _Algorithm.MD5: lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    _Algorithm.SHA_256: lambda data: hashlib.sha256(data).hexdigest(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Challenge:
    algorithm: _Algorithm
    parameters: Mapping[str, str]

    @property
    def nonce(self) -> str:
        return self.parameters.get("nonce", "")


class Login:
    """Belongs to one connection: a server's nonce is of use there."""

    def __init__(
        self, credentials: Credentials | None, *, make_nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._credentials = credentials
        self._make_nonce = make_nonce
        self._challenge: _Challenge | None = None
        self._count = 0

    def challenged(self, header: str) -> bool:
        """Take a `WWW-Authenticate`. False: there is nothing to answer, or the last answer was wrong.

        A server that gives another nonce with every refusal is asked again for ever, unless the caller
        asks each request twice at most.
        """
        if self._credentials is None:
            return False
        best = max(_challenges(header), key=lambda challenge: challenge.algorithm, default=None)
        if best is None:
            return False
        before, self._challenge, self._count = self._challenge, best, 0
        if before is None:
            return True
        # A new nonce is an old one's end. The same one again, or Basic again, is a wrong password.
        stale = best.parameters.get("stale", "").lower() == "true"
        return best.algorithm is not _Algorithm.BASIC and (stale or best.nonce != before.nonce)

    def authorization(self, *, method: str, uri: str) -> str | None:
        """The `Authorization` of one request; None while the server did not ask for one."""
        challenge, credentials = self._challenge, self._credentials
        if challenge is None or credentials is None:
            return None
        if challenge.algorithm is _Algorithm.BASIC:
            pair = f"{credentials.user}:{credentials.password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        return self._digest(challenge, credentials, method=method, uri=uri)

    def _digest(self, challenge: _Challenge, credentials: Credentials, *, method: str, uri: str) -> str:
        digest = HASHES[challenge.algorithm]
        realm = challenge.parameters.get("realm", "")
        secret = digest(f"{credentials.user}:{realm}:{credentials.password}".encode())
        request = digest(f"{method}:{uri}".encode())
        fields = {"username": credentials.user, "realm": realm, "nonce": challenge.nonce, "uri": uri}
        plain = {}
        if "auth" in re.split(r"[\s,]+", challenge.parameters.get("qop", "").lower()):
            self._count += 1
            count, nonce = f"{self._count:08x}", self._make_nonce()
            middle = f"{challenge.nonce}:{count}:{nonce}:auth"
            plain = {"qop": "auth", "nc": count}
            fields["cnonce"] = nonce
        else:  # RFC 2069's, which most cameras speak
            middle = challenge.nonce
        fields["response"] = digest(f"{secret}:{middle}:{request}".encode())
        if "opaque" in challenge.parameters:
            fields["opaque"] = challenge.parameters["opaque"]
        if "algorithm" in challenge.parameters:
            plain["algorithm"] = challenge.parameters["algorithm"]
        quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
        return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _challenges(header: str) -> Iterator[_Challenge]:
    """Those that can be answered."""
    at = 0
    for _ in range(CHALLENGE_LIMIT):
        scheme = SCHEME.match(header, at)
        if scheme is None:
            return
        at = scheme.end()
        parameters: dict[str, str] = {}
        while (found := PARAMETER.match(header, at)) is not None:
            value = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
            parameters[found[1].lower()] = value
            at = found.end()
        algorithm = _algorithm(scheme[1].lower(), parameters)
        if algorithm is not None:
            yield _Challenge(algorithm=algorithm, parameters=parameters)


def _algorithm(scheme: str, parameters: Mapping[str, str]) -> _Algorithm | None:
    match scheme, parameters.get("algorithm", "md5").lower():
        case "basic", _:
            return _Algorithm.BASIC
        case "digest", "md5":
            return _Algorithm.MD5
        case "digest", "sha-256":
            return _Algorithm.SHA_256
        case _:
            return None  # the "-sess" forms, and schemes nobody uses for RTSP
