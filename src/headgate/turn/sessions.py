"""The wing's sessions: one for each allocation, entered in the registry and let go with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from headgate.core.errors import Draining
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Service
from headgate.core.session import CloseReason, Held, Totals
from headgate.engine import Closed, EngineLoop, Handler
from headgate.engine import CloseReason as EngineReason
from headgate.turn.allocation import Allocation
from headgate.turn.clients import Clients
from headgate.turn.machine import TurnMachine
from headgate.turn.reports import closed
from headgate.turn.session import ENDLESS, CredentialLease, TurnSession

__all__ = ["Sessions"]

logger = logging.getLogger(__name__)

REASONS = {
    EngineReason.PEER: CloseReason.PEER,
    EngineReason.READ_TIMEOUT: CloseReason.READ_TIMEOUT,
    EngineReason.WRITE_TIMEOUT: CloseReason.WRITE_TIMEOUT,
    EngineReason.OVERFLOW: CloseReason.WRITE_TIMEOUT,
    EngineReason.TLS: CloseReason.PROTOCOL_ERROR,
    EngineReason.EXPIRED: CloseReason.LAPSED,
    EngineReason.REQUESTED: CloseReason.CLOSED_DOWN,  # we have closed its listener
    EngineReason.SHUTDOWN: CloseReason.SHUTDOWN,
    EngineReason.FAULT: CloseReason.FAULT,
}


class Sessions:
    def __init__(
        self,
        *,
        loop: EngineLoop,
        registry: Registry,
        machine: TurnMachine,
        hear: Handler,
        strict: Callable[[], bool],
    ) -> None:
        """`hear` is told what the engine says of an allocation; `strict`: whether a session ends with the
        credential that it was opened with.
        """
        self._loop = loop
        self._registry = registry
        self._machine = machine
        self._strict = strict
        # Bound once: every session has them.
        self._hear, self._ending = hear, self._end
        self._by_handle: dict[int, TurnSession] = {}
        """By the engine's handle of the allocation."""
        self.clients = Clients()
        self.traffic: dict[str, Totals] = {}
        """Of the sessions that are gone, by transport."""

    @property
    def everyone(self) -> Sequence[TurnSession]:
        """Oldest first."""
        return list(self._by_handle.values())

    def of(self, allocation: Allocation) -> TurnSession | None:
        return self._by_handle.get(allocation.handle)

    def open(self, allocation: Allocation, *, service: Service, external: Endpoint | None) -> None:
        """Where the registry takes nobody any more, the allocation is ended."""
        try:
            session = self._registry.open(
                lambda id, created: TurnSession(
                    id=id,
                    service=service,
                    created=created,
                    allocation=allocation,
                    external=external,
                    end=self._ending,
                )
            )
        except Draining:
            self._machine.close(allocation)
            return
        self._by_handle[allocation.handle] = session
        self.clients.add(session)
        self._loop.attach(allocation.handle, self._hear)
        session.lease = self._lease(session)
        self._registry.changed(session)
        if not logger.isEnabledFor(logging.INFO):
            return
        logger.info(
            "%s session %d of %s opened: relayed address %s, user '%s', %s",
            service.name,
            session.id.number,
            session.remote,
            session.target,
            allocation.name,
            session.transport,
        )

    def move(self, session: TurnSession, *, external: Endpoint | None) -> None:
        """RFC 8016: its client has taken it along, to the interface that is `external` outside."""
        before = f"{session.remote} {session.transport}"
        self._count(session)
        self.clients.remove(session)
        session.move(external)
        self.clients.add(session)
        self._registry.changed(session)
        logger.info(
            "%s session %d of %s moves to %s %s",
            session.service.name,
            session.id.number,
            before,
            session.remote,
            session.transport,
        )

    def ended(self, event: Closed) -> None:
        """The engine has let go of an allocation."""
        allocation = self._machine.ended(event.handle)
        session = self._by_handle.get(event.handle)
        if session is None or allocation is None:
            return  # we ended it ourselves
        session.flowing = False
        session.finish(event.counters)
        self._registry.close(session, REASONS.get(EngineReason(event.reason), CloseReason.FAULT))

    def lease_anew(self, session: TurnSession) -> None:
        """Its credential ends at another time, or `strict` says another thing."""
        if session.lease is not None:
            session.lease.release()
        session.lease = self._lease(session)

    def _lease(self, session: TurnSession) -> Held:
        expires = session.allocation.credential_expires
        if expires is None or not self._strict():
            return ENDLESS
        return CredentialLease(expires, on_expiry=lambda: self._registry.close(session, CloseReason.EXPIRED))

    def _count(self, session: TurnSession) -> Totals:
        """What it moved so far. What is new of that counts for its transport."""
        transport = session.transport or ""
        totals = self._registry.totals([session])[0]
        self.traffic[transport] = self.traffic.get(transport, Totals()) + totals.since(session.counted)
        session.counted = totals
        return totals

    def _end(self, session: TurnSession) -> None:
        """Called by the registry: let go of the allocation, and of a connection that served it alone."""
        allocation = session.allocation
        self._by_handle.pop(allocation.handle, None)
        self.clients.remove(session)
        totals = self._count(session)
        was_here = self._machine.close(allocation)
        if was_here and allocation.five_tuple.connection:
            self._loop.engine.close(allocation.five_tuple.connection)
        self._registry.bus.publish(closed(session))
        logger.info(
            "%s session %d of %s closed: %s; relayed address %s, %d packets (%d bytes) in, %d (%d bytes) out,"
            " %d discarded",
            session.service.name,
            session.id.number,
            session.remote,
            session.close_reason,
            session.target,
            totals.packets_received,
            totals.bytes_received,
            totals.packets_sent,
            totals.bytes_sent,
            totals.packets_discarded,
        )
