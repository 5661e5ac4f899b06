"""`authMethod: http`: another server decides."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from headgate.core.auth.circuit import Circuit
from headgate.core.auth.grant import Grant
from headgate.core.auth.outbound import Outbound
from headgate.core.auth.permission import permits
from headgate.core.auth.request import Request
from headgate.core.auth.throttle import WINDOW
from headgate.core.auth.verdicts import Verdicts
from headgate.core.config.users import AuthInternalUserPermission
from headgate.core.errors import Denied, NotPermitted, Unavailable

__all__ = ["HttpBackend"]

logger = logging.getLogger(__name__)

LIFETIME = 5.0
"""Seconds a grant is remembered: a client that comes back at once, with another transport or for the
next segment, is no new question. A refusal is asked again each time."""
FORBIDDEN = 403
"""RFC 9110 15.5.4: who asks is known, and may not. Many servers say it to everybody whom they refuse, so it
is believed of credentials that have been refused already: to try them again is no guess."""


class HttpBackend:
    def __init__(
        self,
        url: str,
        *,
        exclude: Sequence[AuthInternalUserPermission],
        outbound: Outbound,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._exclude = exclude
        self._outbound = outbound
        self._circuit = Circuit(now=now)
        self._grants: Verdicts[Grant] = Verdicts(lifetime=LIFETIME, now=now)
        self._tried: Verdicts[bool] = Verdicts(lifetime=WINDOW, now=now)
        """Credentials that were refused lately."""

    def open_to(self, request: Request) -> Grant | None:
        return Grant(proven=False) if permits(self._exclude, request) else None

    def login(self, request: Request) -> str | None:
        # A token is not guessed, and one that has run out must not slow everybody behind its address.
        return request.user if request.user or request.password else None

    def known(self, request: Request) -> Grant | None:
        return self._grants.get(self._key(request))

    async def check(self, request: Request) -> Grant:
        """A client without credentials is asked about as well: the server may let anybody in."""
        if not self._circuit.admits():
            raise Unavailable
        try:
            status = await self._outbound.post(self._url, _document(request))
        except Unavailable:
            self._circuit.failed()
            raise
        if status >= 500:
            self._circuit.failed()
            logger.warning("the authentication server answered %d", status)
            raise Unavailable
        self._circuit.succeeded()
        if not 200 <= status < 300:
            raise self._refusal(request, status)
        grant = Grant(user=request.user)
        self._grants.put(self._key(request), grant)
        return grant

    def _refusal(self, request: Request, status: int) -> Denied:
        key = self._tried.key(request.ip, request.user, request.password)
        again = self._tried.get(key) is not None
        self._tried.put(key, verdict=True)
        return NotPermitted() if again and status == FORBIDDEN else Denied()

    def _key(self, request: Request) -> bytes:
        document = _document(request)
        return self._grants.key(*(document[name] or "" for name in document if name != "id"))


def _document(request: Request) -> dict[str, str | None]:
    return {
        "ip": request.ip,
        "user": request.user,
        "password": request.password,
        "token": request.token,
        "action": request.action.value,
        "path": request.path,
        "protocol": request.protocol,
        "id": str(request.id) if request.id is not None else None,
        "query": request.query,
    }
