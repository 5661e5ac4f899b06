"""The one place where it is decided who may do what."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from headgate.core.auth.backend import HttpBackend
from headgate.core.auth.grant import Grant
from headgate.core.auth.internal import InternalUsers
from headgate.core.auth.key_set import KeySet
from headgate.core.auth.method import Method
from headgate.core.auth.outbound import TIMEOUT, TURN_TIMEOUT, Outbound
from headgate.core.auth.password import Passwords
from headgate.core.auth.request import Request
from headgate.core.auth.throttle import Throttle
from headgate.core.auth.token import Tokens
from headgate.core.config import GlobalConf
from headgate.core.config.choices import AuthMethod
from headgate.core.errors import CredentialsMissing, Denied, NotPermitted, Unavailable

__all__ = ["FAILURE_PAUSE", "PATIENCE", "Access"]

FAILURE_PAUSE = 2.0
"""Seconds that whoever gave wrong credentials waits for the answer, as with MediaMTX."""
SLOWED_LIMIT = 128
"""Requests that wait because of wrong credentials; the operator's listener serves 512 at a time."""
PATIENCE = TURN_TIMEOUT + 2 * TIMEOUT
"""Seconds after which `check` has decided in any case: a turn, a fetch that was under way, and its own."""


class Access:
    """`known` answers at once where nobody has to be asked; where it answers None, `check` does.

    `settings` is asked at every request: a changed configuration holds from the next one on.
    `Leases` ends the sessions that are here already.
    """

    def __init__(
        self, settings: Callable[[], GlobalConf], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._now = now
        self._outbound = Outbound()
        self._passwords = Passwords()
        self._throttle = Throttle(now=now)
        self._made: tuple[GlobalConf, tuple[object, ...], Method] | None = None
        self._slowed = 0
        self.denials: Counter[str] = Counter()
        """Since the start, by action. Who only was asked for credentials is not among them."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._passwords.close()
        await self._outbound.close()

    @property
    def settings(self) -> GlobalConf:
        """Those in force now."""
        return self._settings()

    @property
    def rules(self) -> object:
        """The same object until something changes that decides; then an older grant may not hold."""
        return self._method

    @property
    def throttled(self) -> int:
        """Attempts that were refused unseen, after too many failures."""
        return self._throttle.refused

    def known(self, request: Request) -> Grant | None:
        """Raises Denied."""
        method = self._method
        if grant := method.open_to(request):
            return grant
        login = self._login(method, request)
        try:
            grant = method.known(request)
        except NotPermitted:  # no failed login, and no login either
            raise self._denial(request) from None
        except Denied:
            if login is not None:
                self._throttle.failed(ip=request.ip, user=login)
            raise self._denial(request) from None
        if grant is not None and login is not None:
            self._throttle.succeeded(ip=request.ip, user=login)
        return grant

    async def check(self, request: Request) -> Grant:
        """Raises Denied."""
        method = self._method
        if grant := method.open_to(request):
            return grant
        login = self._login(method, request)
        if login is not None:
            self._throttle.failed(ip=request.ip, user=login)
        try:
            grant = await method.check(request)
        except (Unavailable, asyncio.CancelledError):
            if login is not None:
                self._throttle.withdrawn(ip=request.ip, user=login)
            raise
        except NotPermitted:
            if login is not None:
                self._throttle.withdrawn(ip=request.ip, user=login)
            raise self._denial(request) from None
        except Denied:
            raise self._denial(request) from None
        if login is not None:
            self._throttle.succeeded(ip=request.ip, user=login)
        return grant

    async def judge_again(self, request: Request) -> Grant:
        """What was granted once. Failures of others from there do not count against it, nor it as a guess.

        Raises Denied.
        """
        method = self._method
        return method.open_to(request) or method.known(request) or await method.check(request)

    async def slow_down(self) -> None:
        """Wait, after wrong credentials, unless so many wait that they would fill the listener."""
        if self._slowed >= SLOWED_LIMIT:
            return
        self._slowed += 1
        try:
            await asyncio.sleep(FAILURE_PAUSE)
        finally:
            self._slowed -= 1

    def expect_new_keys(self) -> None:
        """Those who sign tokens have changed their keys: an unknown one is fetched at once."""
        method = self._method
        if isinstance(method, Tokens):
            method.keys.expect_new_keys()

    def _login(self, method: Method, request: Request) -> str | None:
        """Whom failures are counted for. Raises Denied after too many of them."""
        login = method.login(request)
        if login is not None and self._throttle.blocks(ip=request.ip, user=login):
            raise self._denial(request)
        return login

    def _denial(self, request: Request) -> Denied:
        if request.anonymous:
            return CredentialsMissing()
        self.denials[request.action] += 1
        return Denied()

    @property
    def _method(self) -> Method:
        """Made anew when what it depends on has changed, and not otherwise: it keeps what it learned."""
        settings = self._settings()
        if self._made is not None and self._made[0] is settings:
            return self._made[2]
        meaning = (
            settings.auth_method,
            settings.auth_internal_users,
            settings.auth_http_address,
            settings.auth_http_exclude,
            settings.auth_jwt_jwks,
            settings.auth_jwt_jwks_fingerprint,
            settings.auth_jwt_claim_key,
            settings.auth_jwt_audience,
            settings.auth_jwt_exclude,
            settings.auth_jwt_in_http_query,
        )
        same = self._made is not None and self._made[1] == meaning
        method = self._made[2] if self._made is not None and same else self._make(settings)
        self._made = settings, meaning, method
        return method

    def _make(self, settings: GlobalConf) -> Method:
        match settings.auth_method:
            case AuthMethod.INTERNAL:
                return InternalUsers(settings.auth_internal_users, passwords=self._passwords)
            case AuthMethod.HTTP:
                return HttpBackend(
                    settings.auth_http_address,
                    exclude=settings.auth_http_exclude,
                    outbound=self._outbound,
                    now=self._now,
                )
            case AuthMethod.JWT:
                keys = KeySet(
                    settings.auth_jwt_jwks,
                    fingerprint=settings.auth_jwt_jwks_fingerprint,
                    client=self._outbound,
                    now=self._now,
                )
                return Tokens(
                    keys,
                    claim_key=settings.auth_jwt_claim_key,
                    audience=settings.auth_jwt_audience,
                    exclude=settings.auth_jwt_exclude,
                    in_http_query=settings.auth_jwt_in_http_query,
                )
