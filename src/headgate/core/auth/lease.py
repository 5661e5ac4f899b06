"""What a live session was granted, and its end when that does not hold any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from headgate.core.auth.access import Access
from headgate.core.auth.grant import Grant
from headgate.core.auth.request import Request
from headgate.core.errors import Denied, Unavailable
from headgate.core.registry import Registry
from headgate.core.session import CloseReason, Session

__all__ = ["Lease", "Leases"]

AT_ONCE = 4
"""Sessions that are looked at again at a time; each may mean a question to another server, or one of the
few hashes that an address may have waiting.
"""
LONGEST_TIMER = 86_400.0  # seconds; then it is looked at again, which also forgives a changed clock


class Lease:
    """One session's. The registry releases it when the session ends."""

    def __init__(self, request: Request, grant: Grant, *, on_expiry: Callable[[], None]) -> None:
        self.request = request
        self._on_expiry = on_expiry
        self._timer: asyncio.TimerHandle | None = None
        self.renew(grant)

    def renew(self, grant: Grant) -> None:
        self.release()
        self.grant = grant
        if grant.expires is not None:
            left = max(grant.expires - time.time(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self._expire)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.grant.expires is not None and time.time() < self.grant.expires:
            self.renew(self.grant)
        else:
            self._on_expiry()


class Leases:
    """Gives sessions their leases, and looks at all of them again when the rules have changed."""

    def __init__(self, *, access: Access, registry: Registry) -> None:
        self._access = access
        self._registry = registry

    def hold(self, session: Session, request: Request, grant: Grant) -> None:
        """From now on the session lives as long as its access. A second time replaces the first."""
        if session.lease is not None:
            session.lease.release()
        session.user = grant.user or None
        session.lease = Lease(
            request, grant, on_expiry=lambda: self._registry.close(session, CloseReason.EXPIRED)
        )

    async def recheck(self) -> None:
        """End every session whose access is not granted any more. Call it after users have changed.

        Who cannot be judged now, because another server does not answer, stays.
        """
        held = [(one, one.lease) for one in self._registry.sessions() if isinstance(one.lease, Lease)]
        turns = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for session, lease in held:
                tasks.create_task(self._look_again(session, lease, turns=turns))

    async def _look_again(self, session: Session, lease: Lease, *, turns: asyncio.Semaphore) -> None:
        async with turns:
            if session.lease is not lease or session.close_reason is not None:
                return
            try:
                grant = await self._access.judge_again(lease.request)
            except Unavailable:
                return
            except Denied:
                self._registry.close(session, CloseReason.REVOKED)
                return
            session.user = grant.user or None
            lease.renew(grant)
