"""The long-term credential mechanism, in the order of RFC 8489 9.2.4."""

from __future__ import annotations

import struct

from headgate.turn.credentials import Candidate, Credentials
from headgate.turn.nonce import COOKIES, Nonces
from headgate.turn.opaque_string import LONGEST_NAME, opaque_string
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.request import Identity, Request
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import Integrity, PasswordAlgorithm
from headgate.turn.stun.message import Method

__all__ = ["ALGORITHMS", "Pending", "authenticate", "challenge"]

ALGORITHM = struct.Struct(">HH")
ALGORITHMS = ALGORITHM.pack(PasswordAlgorithm.SHA256, 0)
"""Our PASSWORD-ALGORITHMS. Whoever knows this attribute knows SHA-256; who does not know it uses MD5. One
alone keeps a challenge to strangers small (S-06).
"""
ALWAYS_STRICT = frozenset({int(Method.ALLOCATE)})
"""Methods that a credential must not have run out for, whatever the configuration says."""


class Pending(Exception):
    """Another server has to be asked about this name first."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def authenticate(
    request: Request,
    *,
    credentials: Credentials,
    nonces: Nonces,
    wall: float,
    strict: bool,
    ask: bool,
) -> Identity:
    """`wall`: Unix time. `strict`: what has run out is refused everything; `ask`: another server may know
    names that we do not. Raises Refusal, Pending.
    """
    message, attributes = request.message, request.message.attributes
    client = request.five_tuple.client

    # First bullet: no integrity at all.
    if not message.is_protected:
        raise challenge(ErrorCode.UNAUTHENTICATED, credentials, nonces, client, request.now)

    # Second: it must say who and when. The answer has neither REALM nor NONCE.
    given = attributes.get(Attribute.USERNAME)
    hashed = attributes.get(Attribute.USERHASH)
    nonce = attributes.get(Attribute.NONCE)
    if (given is None and hashed is None) or Attribute.REALM not in attributes or nonce is None:
        raise Refusal(ErrorCode.BAD_REQUEST, "USERNAME, REALM or NONCE is missing")

    # Third: the nonce cookie tells what we offered, so that nobody between could have taken it away.
    algorithm = _algorithm(request, nonce)

    # Fourth: the name, and fifth: the integrity. Which of both was wrong, no answer tells.
    name = _name(given, hashed, credentials)
    found = _holder(request, name, credentials, algorithm) if name is not None else None
    if name is None or found is None:
        # Whoever has no nonce of ours may have forged where it comes from: nobody is asked about that.
        if (
            name is not None
            and ask
            and _unsettled(name, credentials, request.now)
            and nonces.holds(nonce, client, now=request.now)
        ):
            raise Pending(name)
        raise challenge(ErrorCode.UNAUTHENTICATED, credentials, nonces, client, request.now)
    candidate, key = found

    # Sixth: the nonce. Only now, so that a stale one tells nothing to who does not know the password.
    if not nonces.holds(nonce, client, now=request.now):
        raise challenge(ErrorCode.STALE_NONCE, credentials, nonces, client, request.now)

    # The other server may have shut it out since. Nobody begins before that is known; who is here goes on,
    # and hears of it with the next request.
    stale = ask and candidate.until is not None and candidate.until <= request.now
    if stale and request.allocation is None and message.method == Method.ALLOCATE:
        raise Pending(name)
    if request.allocation is not None and request.allocation.name == name:
        request.allocation.credential_expires = candidate.expires
    if (
        candidate.expires is not None
        and candidate.expires <= wall
        and (strict or request.allocation is None or message.method in ALWAYS_STRICT)
    ):
        raise challenge(ErrorCode.UNAUTHENTICATED, credentials, nonces, client, request.now)
    integrity = Integrity.SHA256 if message.integrity_sha256_at else Integrity.SHA1
    return Identity(name, candidate.user, key, integrity, candidate.expires, stale)


def challenge(
    code: ErrorCode, credentials: Credentials, nonces: Nonces, client: bytes, now: float
) -> Refusal:
    return Refusal(
        code,
        attributes=(
            (Attribute.REALM, credentials.realm_bytes),
            (Attribute.NONCE, nonces.make(client, now=now, anonymity=credentials.knows_all_names)),
            (Attribute.PASSWORD_ALGORITHMS, ALGORITHMS),
        ),
    )


def _algorithm(request: Request, nonce: bytes) -> PasswordAlgorithm:
    attributes = request.message.attributes
    offered = attributes.get(Attribute.PASSWORD_ALGORITHMS)
    chosen = attributes.get(Attribute.PASSWORD_ALGORITHM)
    if not nonce.startswith(COOKIES) or (offered is None and chosen is None):
        return PasswordAlgorithm.MD5
    if offered != ALGORITHMS or chosen is None or len(chosen) < ALGORITHM.size:
        raise Refusal(ErrorCode.BAD_REQUEST, "PASSWORD-ALGORITHMS are not those that were offered")
    number, parameters = ALGORITHM.unpack_from(chosen)
    if parameters or number != PasswordAlgorithm.SHA256:
        raise Refusal(ErrorCode.BAD_REQUEST, "PASSWORD-ALGORITHM was not offered")
    return PasswordAlgorithm(number)


def _name(given: bytes | None, hashed: bytes | None, credentials: Credentials) -> str | None:
    if given is None:
        return credentials.name_of(hashed or b"")
    if len(given) > LONGEST_NAME:
        return None
    try:
        return opaque_string(given.decode())
    except ValueError:
        return None


def _holder(
    request: Request, name: str, credentials: Credentials, algorithm: PasswordAlgorithm
) -> tuple[Candidate, bytes] | None:
    for candidate, key in credentials.keys(name, algorithm):
        if request.message.holds(key):
            return candidate, key
    return None


def _unsettled(name: str, credentials: Credentials, now: float) -> bool:
    """Whether the other server's word is wanted: it has not spoken, or too long ago."""
    if credentials.is_configured(name) and name not in credentials.remembered:
        return False
    said = credentials.remembered.get(name)
    return said is None or said.until <= now
