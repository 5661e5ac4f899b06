"""`authMethod: jwt`: signed tokens say what their bearers may do (RFC 7519, RFC 8725)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Sequence
from typing import Any

import jwt
from pydantic import ValidationError

from headgate.core.auth.grant import Grant
from headgate.core.auth.key_set import KeySet
from headgate.core.auth.permission import permits
from headgate.core.auth.request import Request
from headgate.core.config.users import AuthInternalUserPermission
from headgate.core.errors import Denied, Unavailable

__all__ = ["Tokens"]

logger = logging.getLogger(__name__)

SIZE_LIMIT = 12_288  # characters; a head that carries it may have 16 KiB
KID_LIMIT = 256
PERMISSION_LIMIT = 1000
REFUSED_HEADERS = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"})
"""What asks for extensions that nobody here knows, or brings its own key along."""
HTTP = "http"
UNREADABLE = (jwt.PyJWTError, ValidationError, ValueError, TypeError, KeyError, RecursionError, OverflowError)


class Tokens:
    def __init__(
        self,
        keys: KeySet,
        *,
        claim_key: str,
        audience: str,
        exclude: Sequence[AuthInternalUserPermission],
        in_http_query: bool,
    ) -> None:
        self.keys = keys
        self._claim_key = claim_key
        self._audience = audience or None
        self._exclude = exclude
        self._in_http_query = in_http_query

    def open_to(self, request: Request) -> Grant | None:
        return Grant(proven=False) if permits(self._exclude, request) else None

    def login(self, request: Request) -> str | None:
        return None  # a signature is not guessed

    def known(self, request: Request) -> Grant | None:
        token = self._token(request)
        kid = _kid(token)
        # Whoever has a good token does not wait for a fetch that only another one needs.
        if self.keys.stale or self.keys.find(kid) is None:
            return None
        return self._judge(token, kid, request)

    async def check(self, request: Request) -> Grant:
        token = self._token(request)
        kid = _kid(token)
        try:
            await self.keys.refresh()
        except Unavailable:
            if self.keys.find(kid) is None:
                raise
        return self._judge(token, kid, request)

    def _token(self, request: Request) -> str:
        token = request.token or request.password
        if not token and (request.protocol != HTTP or self._in_http_query):
            token = request.token_in_query
        if not token or len(token) > SIZE_LIMIT:
            raise Denied
        return token

    def _judge(self, token: str, kid: str | None, request: Request) -> Grant:
        key = self.keys.find(kid)
        if key is None:
            raise Denied
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=key.algorithms,
                audience=self._audience,
                options={"require": ["exp"]},
            )
            permissions = _permissions(claims.get(self._claim_key))
            _part(token, 1)  # PyJWT takes the last of two claims of one name; others might take the first
        except UNREADABLE as error:
            logger.info("a token was refused: %s", _reason(error))
            raise Denied from None
        if not permits(permissions, request):
            raise Denied
        subject = claims.get("sub")
        return Grant(user=subject if isinstance(subject, str) else "", expires=float(claims["exp"]))


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.InvalidAudienceError):
        return "it is for another audience (see authJWTAudience)"
    return str(error) if isinstance(error, jwt.PyJWTError) else "its claims cannot be read"


def _kid(token: str) -> str | None:
    """The id of the key it says it is signed with. Raises Denied for what is no token to look at."""
    if token.count(".") != 2:  # five parts are an encrypted one
        raise Denied
    try:
        header = _part(token, 0)
    except UNREADABLE:
        raise Denied from None
    kid = header.get("kid")
    if REFUSED_HEADERS & header.keys() or not isinstance(kid, str | None) or len(kid or "") > KID_LIMIT:
        raise Denied
    return kid


def _part(token: str, number: int) -> dict[str, Any]:
    """Raises ValueError, also where a name stands twice."""
    part = token.split(".")[number]
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return dict(json.loads(text, object_pairs_hook=_unique))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name stands twice")
    return document


def _permissions(claim: Any) -> list[AuthInternalUserPermission]:
    """From an array, or from a string with an array in it. Raises ValueError, TypeError."""
    listed = json.loads(claim) if isinstance(claim, str) else claim
    if not isinstance(listed, list) or len(listed) > PERMISSION_LIMIT:
        raise ValueError("no list of permissions")
    return [
        # What else an issuer writes beside them is its own business.
        AuthInternalUserPermission(action=one["action"], path=one.get("path") or "")
        for one in listed
        if isinstance(one, dict)
    ]
