"""Who is here: every service and every session, found by any dialect's form of its id."""

from __future__ import annotations

import functools
import itertools
import logging
import operator
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from headgate.core.errors import Draining, NotFound
from headgate.core.events import (
    Bus,
    ServiceMoved,
    ServiceStarted,
    ServiceStopped,
    SessionChanged,
    SessionClosed,
    SessionOpened,
)
from headgate.core.service import Endpoint, ListenerAddress, Service
from headgate.core.session import CloseReason, Session, SessionId, SessionState, Totals
from headgate.core.timestamp import utc_now
from headgate.engine import Counters, Engine

__all__ = ["Registry"]

logger = logging.getLogger(__name__)
S = TypeVar("S", bound=Session)


class Registry:
    """Owns the life cycle of every session: opened once, closed once, counted by the engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        bus: Bus,
        node: str = "",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.bus = bus
        self._engine = engine
        self._node = node
        self._now = now
        self._numbers = itertools.count(1)
        self._services: dict[str, Service] = {}
        self._by_uuid: dict[int, Session] = {}
        self._by_number: dict[int, Session] = {}
        self._by_code: dict[int, Session] = {}
        self._draining = False

    # Services

    def add_service(self, service: Service, endpoints: Iterable[tuple[Endpoint, str]]) -> None:
        """Enter a service whose listeners are open, each as (address, "TCP" or "UDP")."""
        addresses = self._listen(service, endpoints)
        self._services[service.name] = service
        self.bus.publish(ServiceStarted(service=service.name, addresses=addresses))

    def move_service(self, service: Service, endpoints: Iterable[tuple[Endpoint, str]]) -> None:
        """It listens at these addresses now, and only there; its sessions are not concerned."""
        addresses = self._listen(service, endpoints)
        self.bus.publish(ServiceMoved(service=service.name, addresses=addresses))

    def remove_service(self, service: Service) -> None:
        """Its listeners are closed, and the sessions of its clients.

        Where others go on (sources that we fetch) it stays found, and counts them, until the last has ended.
        """
        service.listeners.clear()
        if self._services.get(service.name) is service:
            self._forget_if_over(service)
            self.bus.publish(ServiceStopped(service=service.name))

    def _forget_if_over(self, service: Service) -> None:
        ended = not service.listeners and not service.sessions
        if ended and self._services.get(service.name) is service:
            del self._services[service.name]

    def _listen(self, service: Service, endpoints: Iterable[tuple[Endpoint, str]]) -> tuple[str, ...]:
        service.listeners[:] = [
            ListenerAddress(
                number=next(self._numbers), endpoint=endpoint, transport=transport, opened=self._now()
            )
            for endpoint, transport in endpoints
        ]
        return tuple(f"{listener.endpoint}/{listener.transport}" for listener in service.listeners)

    @property
    def services(self) -> Sequence[Service]:
        return list(self._services.values())

    def service(self, name: str) -> Service:
        """Raises NotFound."""
        try:
            return self._services[name]
        except KeyError:
            raise NotFound("service not found") from None

    # Sessions

    def open(self, make: Callable[[SessionId, datetime], S]) -> S:
        """Give a new session its identity and enter it. `make` builds it from the id and the time.

        Raises Draining.
        """
        if self._draining:
            raise Draining("the server is stopping")
        session = make(SessionId.make(next(self._numbers), self._node), self._now())
        self._by_uuid[session.id.uuid_number] = session
        self._by_number[session.id.number] = session
        self._by_code[session.id.code_number] = session
        session.service.sessions += 1
        session.service.total_sessions += 1
        self.bus.publish(
            SessionOpened(session=session.id, service=session.service.name, remote=str(session.remote))
        )
        return session

    def changed(self, session: Session) -> None:
        """Tell everyone that a session's role, target or transport is another now."""
        session.state = SessionState.DRAINING if self._draining else SessionState.ACTIVE
        self.bus.publish(
            SessionChanged(
                session=session.id,
                service=session.service.name,
                role=session.role,
                target=session.target,
                transport=session.transport,
            )
        )

    @property
    def draining(self) -> bool:
        return self._draining

    def drain(self) -> None:
        """Let nobody in any more; those who are here may go on until somebody ends them."""
        self._draining = True
        for session in self._by_number.values():
            session.state = SessionState.DRAINING

    def close(self, session: Session, reason: CloseReason) -> None:
        """End a session. When this returns nothing finds it any more; a second call does nothing."""
        if session.state is SessionState.CLOSED:
            return
        totals = self.totals([session])[0]
        session.state = SessionState.CLOSED
        session.close_reason = reason
        del self._by_uuid[session.id.uuid_number]
        del self._by_number[session.id.number]
        del self._by_code[session.id.code_number]
        session.service.sessions -= 1
        self._forget_if_over(session.service)
        if session.lease is not None:
            session.lease.release()
            session.lease = None  # it knows the session: the two would wait for the collector
        try:
            session.end(reason)
        except Exception:
            # The session is gone from every list already; a bug in its goodbye ends nothing else.
            logger.exception("a bug while ending %r", session)
        self.bus.publish(
            SessionClosed(
                session=session.id,
                service=session.service.name,
                remote=str(session.remote),
                role=session.role,
                target=session.target,
                reason=reason,
                duration_s=(self._now() - session.created).total_seconds(),
                totals=totals,
            )
        )

    def sessions(self, *, service: Service | None = None) -> list[Session]:
        """All sessions, oldest first."""
        everyone = self._by_number.values()
        return list(everyone) if service is None else [s for s in everyone if s.service is service]

    def by_uuid(self, id: uuid.UUID) -> Session:
        """Raises NotFound."""
        return self._found(self._by_uuid.get(id.int))

    def by_number(self, number: int) -> Session:
        """Raises NotFound."""
        return self._found(self._by_number.get(number))

    def by_code(self, code: str) -> Session:
        """Raises NotFound."""
        number = SessionId.read_code(code)
        return self._found(None if number is None else self._by_code.get(number))

    def totals(self, sessions: Sequence[Session]) -> list[Totals]:
        """What each session moved so far, read from the engine in one call."""
        handles = [handle for session in sessions for handle in session.flows]
        counters = iter(self._engine.counters(handles))
        return [_sum(session.finished, [next(counters) for _ in session.flows]) for session in sessions]

    @staticmethod
    def _found(session: Session | None) -> Session:
        if session is None:
            raise NotFound("session not found")
        return session


def _sum(finished: Totals | None, counters: Sequence[Counters | None]) -> Totals:
    known = [] if finished is None else [finished]
    known += [Totals.of(each) for each in counters if each is not None]
    # Nearly every session has one flow, and lists are long: nothing is added up for it.
    return functools.reduce(operator.add, known) if known else Totals()
