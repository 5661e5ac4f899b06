"""What a live session was granted, and its end when that does not hold any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from headgate.core.auth.access import Access
from headgate.core.auth.grant import Grant
from headgate.core.auth.request import Request
from headgate.core.errors import Denied, Unavailable
from headgate.core.registry import Registry
from headgate.core.session import CloseReason, Session

__all__ = ["RETRY_INTERVAL", "TRIES", "Lease", "Leases"]

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Sessions that are looked at again at a time; each may mean a question to another server, or one of the
few hashes that an address may have waiting.
"""
LONGEST_TIMER = 86_400.0  # seconds; then it is looked at again, which also forgives a changed clock
RETRY_INTERVAL = 30.0  # seconds
TRIES = 20
"""Ten minutes in which the server that decides may be away; who is not granted by then ends."""


class Lease:
    """One session's, or one long answer's. The registry releases it when the session ends."""

    def __init__(
        self,
        request: Request,
        grant: Grant,
        *,
        on_end: Callable[[CloseReason], None],
        on_release: Callable[[Lease], None],
        on_renewal: Callable[[Grant], None] = lambda _: None,
    ) -> None:
        self.request = request
        self._on_end = on_end
        self._on_release = on_release
        self._on_renewal = on_renewal
        self._timer: asyncio.TimerHandle | None = None
        self.renew(grant)

    def renew(self, grant: Grant) -> None:
        self._stop_timer()
        self.grant = grant
        self._on_renewal(grant)
        if grant.expires is not None:
            left = max(grant.expires - time.time(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self._expire)

    def release(self) -> None:
        self._stop_timer()
        self._on_release(self)

    def end(self, reason: CloseReason) -> None:
        self._on_end(reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.grant.expires is not None and time.time() < self.grant.expires:
            self.renew(self.grant)
        else:
            self.end(CloseReason.EXPIRED)


class Leases:
    """Gives leases, and looks at all of them again when the rules have changed."""

    def __init__(
        self,
        *,
        access: Access,
        registry: Registry,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._access = access
        self._registry = registry
        self._sleep = sleep
        self._held: dict[Lease, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, session: Session, request: Request, grant: Grant) -> None:
        """From now on the session lives as long as its access. A second time replaces the first."""

        def renewed(grant: Grant) -> None:
            session.user = grant.user or None

        if session.lease is not None:
            session.lease.release()
        session.lease = self._enter(
            Lease(
                request,
                grant,
                on_end=lambda reason: self._registry.close(session, reason),
                on_release=self._leave,
                on_renewal=renewed,
            )
        )

    @contextmanager
    def during(self, request: Request, grant: Grant, *, end: Callable[[CloseReason], None]) -> Iterator[None]:
        """The same for an answer that may last: `end` is called when its access is gone."""
        lease = self._enter(Lease(request, grant, on_end=end, on_release=self._leave))
        try:
            yield
        finally:
            lease.release()

    async def recheck(self) -> None:
        """End everybody whose access is not granted any more. Call it after users have changed.

        Who cannot be judged, because another server does not answer, is asked about again every
        `RETRY_INTERVAL`, `TRIES` times in all, and ends then (`UNCONFIRMED`). Cancel it to begin anew.
        """
        undecided = list(self._held)
        for number in range(TRIES):
            undecided = await self._judge(undecided)
            if not undecided:
                return
            if number + 1 < TRIES:
                logger.warning(
                    "%d sessions go on, although nobody answers whether they may; %d tries are left",
                    len(undecided),
                    TRIES - number - 1,
                )
                await self._sleep(RETRY_INTERVAL)
        for lease in undecided:
            if lease in self._held:
                lease.end(CloseReason.UNCONFIRMED)

    def _enter(self, lease: Lease) -> Lease:
        self._held[lease] = None
        return lease

    def _leave(self, lease: Lease) -> None:
        self._held.pop(lease, None)

    async def _judge(self, leases: list[Lease]) -> list[Lease]:
        """Those that could not be decided."""
        turns = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            judged = [tasks.create_task(self._is_decided(lease, turns=turns)) for lease in leases]
        return [lease for lease, task in zip(leases, judged, strict=True) if not task.result()]

    async def _is_decided(self, lease: Lease, *, turns: asyncio.Semaphore) -> bool:
        async with turns:
            if lease not in self._held:
                return True
            try:
                grant = await self._access.judge_again(lease.request)
            except Unavailable:
                return False
            except Denied:
                if lease in self._held:
                    lease.end(CloseReason.REVOKED)
                return True
            if lease in self._held:
                lease.renew(grant)
            return True
