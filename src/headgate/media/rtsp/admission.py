"""Who is at the other end of one connection, and what they were granted."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from headgate.core.auth import Access, Action, Grant, Request
from headgate.core.auth.access import FAILURE_PAUSE, PATIENCE
from headgate.core.auth.authorization import (
    REALM,
    Algorithm,
    Authorization,
    Basic,
    Bearer,
    Digest,
    DigestProof,
    parse,
)
from headgate.core.config.choices import AuthMethod, RtspAuthMethod
from headgate.core.errors import CredentialsMissing, Denied, Unavailable
from headgate.media.rtsp.events import Asker
from headgate.media.rtsp.nonce import Nonce
from headgate.media.rtsp.url import Url
from headgate.media.rtsp.wait import Wait

__all__ = ["Admission"]


@dataclass(frozen=True, slots=True)
class Judged:
    asker: Asker
    request: Request
    grant: Grant
    rules: object
    """By which it was granted: `Access.rules` of then."""


class Admission:
    """Of one connection. Keeps the last grant, so that a request is judged once."""

    def __init__(self, *, access: Access, ip: str, protocol: str, connection: uuid.UUID) -> None:
        self._access = access
        self._ip = ip
        self._protocol = protocol
        self._connection = connection
        self._nonce = Nonce()
        self._stale = False
        self._judged: Judged | None = None
        self.foreign = False
        """The page of another site asks, in somebody's browser: as at the operator's listener it may
        read, with credentials of its own, and publish nothing.
        """

    def admit(self, asker: Asker, action: Action, *, path: str, query: str) -> Wait | None:
        """None: it may. Otherwise nobody knows yet: wait, and ask again with the same `asker`.

        Raises CredentialsMissing, which `challenges` go with, or Denied.
        """
        before = self._judged if self._judged is not None and self._judged.asker is asker else None
        if before is not None and before.rules is self._access.rules:
            return None
        try:
            # The rules may have changed while the request waited; a Digest counts once all the same.
            request = before.request if before else self._request(asker, action, path=path, query=query)
            grant = self._access.known(request)
        except (CredentialsMissing, Unavailable):  # nothing was guessed, so nobody is slowed
            raise
        except Denied as denied:
            return Wait(until=partial(_pause, denied), timeout=PATIENCE)
        if grant is None:
            return Wait(until=partial(self._check, asker, request), timeout=PATIENCE + FAILURE_PAUSE)
        self._judge(Judged(asker, request, grant, self._access.rules))
        return None

    @property
    def granted(self) -> tuple[Request, Grant]:
        """What was admitted last. Raises RuntimeError before."""
        if self._judged is None:
            raise RuntimeError("nothing was admitted yet")
        return self._judged.request, self._judged.grant

    def challenges(self) -> Sequence[tuple[str, str]]:
        """Basic last and MD5 behind SHA-256: of several Digest challenges FFmpeg and VLC take the last."""
        headers = []
        if RtspAuthMethod.DIGEST in self._access.settings.rtsp_auth_methods:
            nonce = self._nonce.current(asyncio.get_running_loop().time())
            stale = ", stale=true" if self._stale else ""
            headers = [
                f'Digest realm="{REALM}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}'
                for algorithm in Algorithm
            ]
        if RtspAuthMethod.BASIC in self._access.settings.rtsp_auth_methods:
            headers.append(f'Basic realm="{REALM}"')
        return [("WWW-Authenticate", header) for header in headers]

    async def _check(self, asker: Asker, request: Request) -> None:
        rules = self._access.rules
        try:
            grant = await self._access.check(request)
        except (CredentialsMissing, Unavailable):  # nothing was guessed, so nobody is slowed
            raise
        except Denied as denied:
            await _pause(denied)
        else:
            self._judge(Judged(asker, request, grant, rules))

    def _judge(self, judged: Judged) -> None:
        """Raises CredentialsMissing or Denied where a grant is not enough."""
        if self.foreign and judged.request.action is Action.PUBLISH:
            raise Denied
        if self.foreign and not judged.grant.proven:
            raise CredentialsMissing
        self._judged = judged

    def _request(self, asker: Asker, action: Action, *, path: str, query: str) -> Request:
        given = self._given(asker, path=path)
        proof = DigestProof(digest=given, method=asker.method) if isinstance(given, Digest) else None
        return Request(
            action=action,
            path=path,
            query=query,
            user=given.user if isinstance(given, Basic) else "",
            password=given.password if isinstance(given, Basic) else "",
            token=given.token if isinstance(given, Bearer) else "",
            proof=proof,
            ip=self._ip,
            protocol=self._protocol,
            id=self._connection,
        )

    def _given(self, asker: Asker, *, path: str) -> Authorization | None:
        """What it says about itself. Raises CredentialsMissing for what was not asked for, or Denied."""
        self._stale = False
        if asker.authorization is None:
            return None
        given = parse(asker.authorization)
        match given:
            case None:
                raise Denied
            case Basic():
                asked_for = RtspAuthMethod.BASIC in self._access.settings.rtsp_auth_methods
            case Bearer():
                asked_for = self._access.settings.auth_method is not AuthMethod.INTERNAL
            case Digest():
                asked_for = RtspAuthMethod.DIGEST in self._access.settings.rtsp_auth_methods
                if asked_for:
                    self._check_digest(given, path=path)
        if not asked_for:
            raise CredentialsMissing
        return given

    def _check_digest(self, digest: Digest, *, path: str) -> None:
        """All but the password."""
        now = asyncio.get_running_loop().time()
        if digest.realm != REALM or not self._nonce.is_valid(digest.nonce, now):
            # Of an older challenge, or another connection's. Nothing was tried, so nobody is slowed.
            self._stale = True
            raise CredentialsMissing
        if not _is_about(digest.uri, path) or not self._nonce.use(digest.count):
            raise Denied


async def _pause(denied: Denied) -> None:
    await asyncio.sleep(FAILURE_PAUSE)
    raise denied


def _is_about(uri: str, path: str) -> bool:
    """Whether a Digest is of a request about this path, and not one that was taken from elsewhere.

    Clients write the request's URL, the aggregate's, or only its path (RFC 7616 3.4.6 leaves it open).
    """
    try:
        name = Url.parse(uri).name
    except ValueError:
        name = unquote(uri.partition("?")[0]).strip("/")
    return name == path or name.startswith(path + "/")
