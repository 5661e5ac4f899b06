"""An allocation as the registry and every dialect see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from headgate.core.service import Endpoint, Service
from headgate.core.session import CloseReason, Role, Session, SessionId, Totals
from headgate.turn.allocation import Allocation
from headgate.turn.relay import ClientTransport

__all__ = ["ENDLESS", "CredentialLease", "TurnSession"]

TRANSPORTS = {int(transport): transport.name for transport in ClientTransport}
NOTHING = Totals()
LONGEST_TIMER = 86_400.0  # seconds; then it is looked at again


class Endless:
    """A lease that does not run out. It knows no session: one is all sessions'."""

    def release(self) -> None:
        pass


ENDLESS = Endless()


class CredentialLease:
    """Ends a session when its credential runs out, where the configuration is so strict."""

    def __init__(self, expires: float, *, on_expiry: Callable[[], None]) -> None:
        """`expires`: Unix time."""
        self._expires = expires
        self._on_expiry = on_expiry
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    def _wait(self) -> None:
        left = max(self._expires - time.time(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self._look)

    def _look(self) -> None:
        self._timer = None
        if time.time() < self._expires:
            self._wait()
        else:
            self._on_expiry()

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class TurnSession(Session):
    """One for each allocation, from its Allocate to its end."""

    def __init__(
        self,
        *,
        id: SessionId,
        service: Service,
        created: datetime,
        allocation: Allocation,
        external: Endpoint | None,
        end: Callable[[TurnSession], None],
    ) -> None:
        five_tuple = allocation.five_tuple
        super().__init__(
            id=id,
            service=service,
            remote=Endpoint(five_tuple.client_host, five_tuple.client_port),
            local=Endpoint(five_tuple.server_host, five_tuple.server_port),
            created=created,
        )
        self.allocation = allocation
        self.external = self.local if external is None else external
        """The interface as clients outside know it: what seed 000 calls `interface`."""
        self.user = allocation.user
        self.role = Role.RELAY
        self.target = str(allocation.relayed)
        self.transport = TRANSPORTS[five_tuple.transport]
        self.flowing = True
        """Whether the engine still has the allocation."""
        self.counted = NOTHING
        """What it moved over transports that it has left (RFC 8016): it counts for those."""
        self._end = end

    def move(self, external: Endpoint | None) -> None:
        """Follow the allocation to its five-tuple."""
        five_tuple = self.allocation.five_tuple
        self.remote = Endpoint(five_tuple.client_host, five_tuple.client_port)
        self.local = Endpoint(five_tuple.server_host, five_tuple.server_port)
        self.external = self.local if external is None else external
        self.transport = TRANSPORTS[five_tuple.transport]

    @property
    def flows(self) -> Sequence[int]:
        return (self.allocation.handle,) if self.flowing else ()

    def end(self, reason: CloseReason) -> None:
        self._end(self)
