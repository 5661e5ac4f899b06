"""`authMethod: internal`: the users of the configuration."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from headgate.core.auth.grant import Grant
from headgate.core.auth.password import ARGON2, Passwords
from headgate.core.auth.permission import permits
from headgate.core.auth.request import Proof, Request, address
from headgate.core.config.secrets import REDACTED
from headgate.core.config.users import AuthInternalUser
from headgate.core.errors import Denied, NotPermitted

__all__ = ["InternalUsers"]

ANYBODY = "any"

Judgement = Generator[tuple[str, str], bool, Grant]
"""Yields a credential and what was given for it, is sent whether they agree, and returns the grant.

Raises NotPermitted for a user of ours, Denied for everybody else.
"""


class InternalUsers:
    """A name that nobody has costs as much time as a password that is wrong.

    Each attempt is compared with as many hashed passwords as the user has who has most of them: where its
    own user has fewer with those of others, whose verdict counts for nothing.
    """

    def __init__(self, users: Sequence[AuthInternalUser], *, passwords: Passwords) -> None:
        self._anybody = [user for user in users if user.user == ANYBODY]
        self._named = [user for user in users if user.user != ANYBODY]
        self._passwords = passwords
        self._hashed = _hashed(self._named)
        self._most = max((len(_hashed(self._of(user.user))) for user in self._named), default=0)
        self._spare = next((user.password for user in self._named), "")

    def open_to(self, request: Request) -> Grant | None:
        return Grant(proven=False) if any(_may(user, request) for user in self._anybody) else None

    def login(self, request: Request) -> str | None:
        return None if request.anonymous else request.login

    def known(self, request: Request) -> Grant | None:
        if request.proof is not None:
            return self._prove(request, request.proof)
        judgement = self._judge(request)
        try:
            credential, given = next(judgement)
            while True:
                verdict = self._passwords.known(credential, given, user=request.user)
                if verdict is None:
                    return None
                credential, given = judgement.send(verdict)
        except StopIteration as end:
            return _returned(end)

    async def check(self, request: Request) -> Grant:
        judgement = self._judge(request)
        try:
            credential, given = next(judgement)
            while True:
                verdict = await self._passwords.check(credential, given, user=request.user, ip=request.ip)
                credential, given = judgement.send(verdict)
        except StopIteration as end:
            return _returned(end)

    def _judge(self, request: Request) -> Judgement:
        meant: list[AuthInternalUser] = []
        for user in self._named:
            fits = yield user.user, request.user
            meant += [user] * fits
        proven: list[AuthInternalUser] = []
        for user in meant:
            fits = yield user.password, request.password
            proven += [user] * fits
        known = _hashed(meant)
        missing = max(self._most - len(known), 0)
        for password in [one for one in self._hashed if one not in known][:missing]:
            yield password, request.password
        if not meant and not self._most:
            yield self._spare, request.password
        # The placeholder is shown to whoever reads the configuration, so it proves nothing.
        return _granted(proven if request.password != REDACTED else [], request, name=request.user)

    def _of(self, name: str) -> list[AuthInternalUser]:
        return [user for user in self._named if user.user == name]

    def _prove(self, request: Request, proof: Proof) -> Grant:
        """Raises Denied."""
        meant = [user for user in self._named if user.user == proof.user]
        proven = [user for user in meant if proof.proves(password=user.password)]
        if not meant:
            proof.proves(password=self._spare)
        proven = [user for user in proven if user.password != REDACTED]
        return _granted(proven, request, name=proof.user)


def _hashed(users: Sequence[AuthInternalUser]) -> list[str]:
    """Their passwords that take time, each once: a verdict on one is remembered."""
    return list(dict.fromkeys(user.password for user in users if user.password.startswith(ARGON2)))


def _returned(end: StopIteration) -> Grant:
    grant: Grant = end.value
    return grant


def _granted(proven: Sequence[AuthInternalUser], request: Request, *, name: str) -> Grant:
    """To whom it is shown to be. Raises Denied where it is shown to be nobody, NotPermitted."""
    if not proven:
        raise Denied
    if not any(_may(user, request) for user in proven):
        raise NotPermitted
    return Grant(user=name)


def _may(user: AuthInternalUser, request: Request) -> bool:
    return permits(user.permissions, request) and _comes_from(user, request.ip)


def _comes_from(user: AuthInternalUser, ip: str) -> bool:
    if not user.ips:
        return True
    source = address(ip)
    return source is not None and any(source in network for network in user.ips)
