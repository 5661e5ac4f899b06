"""Who may come to the operator's listener, before any route sees the request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from headgate.api.failure import APPLICATIONS, SERVICES, failure, within
from headgate.api.view import View
from headgate.core.auth import Action, Grant, Request
from headgate.core.auth.authorization import REALM, Basic, Bearer, parse
from headgate.core.config.networks import Network
from headgate.core.errors import CredentialsMissing, Denied, Unavailable
from headgate.core.proxies import client_address
from headgate.core.session import CloseReason

__all__ = ["ADMITTED", "CHALLENGE", "Admitted", "Entrance"]

CHALLENGE = f'Basic realm="{REALM}"'
ADMITTED = "headgate.admitted"
"""Where the ASGI scope has who was let in."""
RELAY_CREDENTIALS = "/relay/credentials"
"""Open to those who may do nothing else here (`api.relay_holder`)."""
OPEN_TO_ALL = "/health"
"""Load balancers and orchestrators have no credentials, and it tells them nothing else."""
QUERY_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class Admitted:
    grant: Grant
    request: Request | None = None
    """What was granted; None where nothing had to be."""


class Entrance:
    def __init__(self, view: View, *, trusted: Callable[[], Sequence[Network]]) -> None:
        """`trusted`: proxies whose X-Forwarded-For is believed."""
        self._view = view
        self._trusted = trusted

    async def admit(self, scope: Scope) -> Admitted | Response:
        """The answer, where there is no grant."""
        path: str = scope["path"]
        if within(path, OPEN_TO_ALL) or self._has_its_own_token(path):
            return Admitted(Grant())
        access = self._view.access
        try:
            request = self._request(scope)
            return Admitted(access.known(request) or await access.check(request), request)
        except (CredentialsMissing, Unavailable):
            return _denied(path)
        except Denied:
            await access.slow_down()
            return _denied(path)

    def lease(
        self, admitted: Admitted, *, end: Callable[[CloseReason], None]
    ) -> AbstractContextManager[None]:
        """Enter it for as long as the answer lasts; `end` is called when the access is gone."""
        if admitted.request is None:
            return nullcontext()
        return self._view.leases.during(admitted.request, admitted.grant, end=end)

    def _has_its_own_token(self, path: str) -> bool:
        """The applications dialect, where it is configured to ask for one itself."""
        return within(path, APPLICATIONS) and bool(self._view.configuration().applications.access_token)

    def _request(self, scope: Scope) -> Request:
        """Raises Denied for credentials that cannot be understood."""
        headers = Headers(scope=scope)
        header = headers.get("authorization")
        given = parse(header) if header is not None else None
        if header is not None and not isinstance(given, Basic | Bearer):
            raise Denied
        query = scope["query_string"]
        if len(query) > QUERY_LIMIT:
            raise Denied
        return Request(
            action=_action(scope["path"]),
            query=query.decode("latin-1"),
            user=given.user if isinstance(given, Basic) else "",
            password=given.password if isinstance(given, Basic) else "",
            token=given.token if isinstance(given, Bearer) else "",
            ip=client_address(
                (scope.get("client") or ("", 0))[0],
                forwarded=headers.getlist("x-forwarded-for"),
                trusted=self._trusted(),
            ),
            protocol="http",
        )


def _action(path: str) -> Action:
    if path == "/metrics":
        return Action.METRICS
    if path == RELAY_CREDENTIALS:
        return Action.RELAY
    return Action.PPROF if within(path, "/debug/pprof") else Action.API


def _denied(path: str) -> Response:
    headers = {"www-authenticate": CHALLENGE}
    if within(path, SERVICES) or within(path, APPLICATIONS):
        return failure(path, status=401, detail="access denied", headers=headers)
    return Response(status_code=401, headers=headers)  # without a body, as seed 002's server
