"""The TURN service: its listeners, its sessions, and the machine between both."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate.core.auth.outbound import Outbound
from headgate.core.certificate import Certificate
from headgate.core.config.change import Change, Prepared
from headgate.core.config.turn_conf import TurnConf, TurnTransport
from headgate.core.errors import Refused
from headgate.core.registry import Registry
from headgate.core.relay_credentials import RelayCredential
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Totals
from headgate.engine import Closed, Engine, EngineLoop, Event, PeerConnected, StunReceived
from headgate.turn.allocation import Allocation
from headgate.turn.clients import Clients
from headgate.turn.credentials import Credentials
from headgate.turn.engine_relay import EngineRelay
from headgate.turn.enquiry import Enquiry
from headgate.turn.events import Allocated, CredentialWanted, Moved, PeerDenied, Released, TurnEvent, Vouched
from headgate.turn.generated_secret import FILE, generated_secret
from headgate.turn.listeners import (
    SERVICE,
    Opened,
    discoverable,
    open_listener,
    url_of,
)
from headgate.turn.machine import TurnMachine
from headgate.turn.new_interfaces import NewInterfaces
from headgate.turn.own_listeners import EVERYWHERE, OwnListeners, is_here
from headgate.turn.peer_connections import PeerConnections
from headgate.turn.relay import FiveTuple
from headgate.turn.renewals import Renewals
from headgate.turn.reports import report
from headgate.turn.session import TurnSession
from headgate.turn.sessions import Sessions
from headgate.turn.stun.address import TransportAddress

__all__ = ["SERVICE", "TurnServer"]

logger = logging.getLogger(__name__)

ROUTER = "relay"


class TurnServer:
    """Enter it to open every listener, or none: a port that is taken raises ListenError.

    Leaving it ends its sessions (`SHUTDOWN`).
    """

    def __init__(
        self,
        *,
        loop: EngineLoop,
        registry: Registry,
        settings: TurnConf,
        state: Path | None,
        operators: Callable[[], Sequence[Endpoint]] = tuple,
    ) -> None:
        """`state`: the directory for what must be the same after a restart; None: nothing is kept.

        `operators`: listeners of ours that are no service's.
        """
        self._loop = loop
        self._registry = registry
        self._settings = settings
        self._state = state
        self._secret: str | None = None
        self._outbound = Outbound()
        self._enquiry = Enquiry(self._outbound)
        self._tasks = asyncio.TaskGroup()
        self._timer: asyncio.TimerHandle | None = None
        self._opened: list[Opened] = []
        self._by_handle: dict[int, Opened] = {}
        self._service: Service | None = None
        self.denied_peers = 0
        """Requests refused because of who the peer was, since the start."""
        self.renewals = Renewals(bus=registry.bus, take=self._take)
        self._peers = PeerConnections(loop, self._on_event)
        self._relay = EngineRelay(loop.engine, began=self._peers.began)
        self.machine = TurnMachine(
            self._relay,
            settings=settings,
            credentials=self._credentials(settings),
            now=time.monotonic(),
            wall=time.time,
            own_listeners=OwnListeners(lambda: self._own_listeners(operators)),
        )
        self._sessions = Sessions(
            loop=loop,
            registry=registry,
            machine=self.machine,
            hear=self._on_event,
            strict=lambda: self._settings.strict_expiry,
        )

    # Who looks

    @property
    def engine(self) -> Engine:
        return self._loop.engine

    @property
    def is_on(self) -> bool:
        return self._service is not None

    @property
    def sessions(self) -> Sequence[TurnSession]:
        """One for each allocation, oldest first; `session.allocation` has the rest."""
        return self._sessions.everyone

    @property
    def clients(self) -> Clients:
        return self._sessions.clients

    @property
    def traffic(self) -> Mapping[str, Totals]:
        """Of the sessions that are gone, by transport."""
        return self._sessions.traffic

    @property
    def interfaces(self) -> Sequence[Opened]:
        return list(self._opened)

    @property
    def settings(self) -> TurnConf:
        return self._settings

    def bound_at(self, listener: int) -> Endpoint | None:
        """Where a listener is bound; None: it is gone."""
        opened = self._by_handle.get(listener)
        return opened.endpoint if opened is not None else None

    def _own_listeners(self, operators: Callable[[], Sequence[Endpoint]]) -> Iterator[Endpoint]:
        yield from operators()
        for service in self._registry.services:
            yield from (one.endpoint for one in service.listeners)
        yield from (one.external for one in self._opened if one.external is not None)

    @property
    def now(self) -> float:
        """The clock of `Allocation.expires`."""
        return time.monotonic()

    def mint(self, *, user: str, ttl: float) -> RelayCredential:
        """See `core.relay_credentials`."""
        if self._service is None:
            raise Refused("there is no relay (turn.interfaces)")
        return self.machine.credentials.mint(user=user, ttl=ttl, now=time.time())

    # Life

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            for interface in self._settings.interfaces:
                self._enter(open_listener(self._loop.engine, interface, self._settings))
        except BaseException:
            self.close_listeners()
            await self._tasks.__aexit__(None, None, None)
            raise
        self.renewals.follow(self._opened, tasks=self._tasks)
        self._show()
        self._warn(self._settings)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await self._tasks.__aexit__(None, None, None)
        await self._outbound.close()

    def drain(self) -> None:
        """No new allocations. Listeners stay: whoever is here must be able to refresh."""
        self.machine.drain()

    def resume(self) -> None:
        """New allocations again."""
        self.machine.resume()

    def close(self) -> None:
        """End every session, then the listeners. Once is enough."""
        for session in self.sessions:
            self._registry.close(session, CloseReason.SHUTDOWN)
        self.machine.shut()
        self.close_listeners()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close_listeners(self) -> None:
        self.renewals.stop()
        for opened in self._opened:
            self._leave(opened)
        self._opened.clear()

    def _enter(self, opened: Opened) -> None:
        self._opened.append(opened)
        self._by_handle[opened.handle] = opened
        self._loop.attach(opened.handle, self._on_event)

    def _leave(self, opened: Opened) -> None:
        self._loop.engine.close(opened.handle)
        self._loop.detach(opened.handle)
        self._by_handle.pop(opened.handle, None)

    def _show(self) -> None:
        """Tell registry and machine where we listen, and the engine what to say to strangers."""
        endpoints = [(one.endpoint, one.interface.transport.name) for one in self._opened]
        if self._service is None and endpoints:
            self._service = Service(
                name=SERVICE, protocol=Protocol.TURN, router=ROUTER, started=datetime.now(UTC)
            )
            self._registry.add_service(self._service, endpoints)
        elif self._service is not None and not endpoints:
            self._registry.remove_service(self._service)
            self._service = None
        elif self._service is not None:
            present = [(one.endpoint, one.transport) for one in self._service.listeners]
            if present != endpoints:
                self._registry.move_service(self._service, endpoints)
        externals = {
            "" if one.endpoint.host in EVERYWHERE else one.endpoint.host: one.external.host
            for one in self._opened
            if one.external is not None
        }
        self._relay.listeners = discoverable(self._opened)
        hosts = {one.endpoint.host for one in self._opened} - EVERYWHERE
        self.machine.listening(externals, hosts=hosts, listeners=list(self._relay.listeners))
        self.engine.challenge(self.machine.challenge(now=time.monotonic()))

    # The engine's events

    def _on_event(self, event: Event) -> None:
        match event:
            case StunReceived():
                self.machine.receive(event.five_tuple, event.message, now=time.monotonic())
                self._turn()
            case PeerConnected():
                self._peers.began(event.connection, event.allocation)
                peer = TransportAddress(event.peer_host, event.peer_port)
                self.machine.peer_connected(event.allocation, event.connection, peer, incoming=event.incoming)
                self._turn()
            case Closed():
                self._on_closed(event)

    def _on_closed(self, event: Closed) -> None:
        of = self._peers.ended(event.handle)
        if of is not None:
            self.machine.peer_closed(of, event.handle)
            self._turn()
            return
        self._sessions.ended(event)

    def _turn(self) -> None:
        """Do what the machine has decided, in its order: sessions before the answers that tell of them."""
        for event in self.machine.events():
            self._on_decision(event)
        for out in self.machine.to_send():
            self._relay.send(out)
        deadline = self.machine.deadline()
        if deadline is not None and self._timer is None:
            delay = max(deadline - time.monotonic(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self.machine.expire(time.monotonic())
        self._turn()

    def _on_decision(self, event: TurnEvent) -> None:
        if isinstance(event, CredentialWanted):
            self._tasks.create_task(self._enquire(event))
            return
        if isinstance(event, Allocated):
            self._open(event.allocation)
        session = self._sessions.of(event.allocation)
        if session is None:
            return
        match event:
            case Released():
                self._registry.close(session, CloseReason.GOODBYE)
            case Vouched():
                self._sessions.lease_anew(session)
            case PeerDenied(_, peer):
                self.denied_peers += 1
                logger.debug("%s may not reach %s (turn.peers)", session, peer)
            case Moved():
                self._sessions.move(session, external=self._external(event.allocation.five_tuple))
        told = report(event, session)
        if told is not None:
            self._registry.bus.publish(told)

    # Sessions

    def _open(self, allocation: Allocation) -> None:
        service = self._service
        if service is None:
            raise RuntimeError("an allocation without a service")
        external = self._external(allocation.five_tuple)
        self._sessions.open(allocation, service=service, external=external)

    def _external(self, five_tuple: FiveTuple) -> Endpoint | None:
        opened = self._by_handle.get(five_tuple.listener)
        return opened.external if opened is not None else None

    async def _enquire(self, wanted: CredentialWanted) -> None:
        settings = self._settings
        said = await self._enquiry.ask(
            settings.auth_http_address, name=wanted.name, realm=settings.realm, client=wanted.client
        )
        self.machine.credential_known(wanted.name, said, now=time.monotonic())
        self._turn()

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        """Open what it needs. Listeners that stay as they are go on, and with them their clients."""
        if not change.concerns("turn") or self._registry.draining:
            return None
        return NewInterfaces(
            self.engine, change.new.own.turn, present=self.interfaces, follow=self.follow
        ).open()

    def follow(self, settings: TurnConf, opened: list[Opened], gone: list[Opened]) -> None:
        """Go over to new settings and the listeners that were opened for them."""
        before, strict = self.machine.credentials, self._settings.strict_expiry
        self._settings = settings
        for listener in gone:
            self._leave(listener)
        for listener in opened:
            self._by_handle[listener.handle] = listener
            self._loop.attach(listener.handle, self._on_event)
        self._opened[:] = opened
        self.renewals.follow(opened, tasks=self._tasks)
        credentials = self._credentials(settings)
        self.machine.follow(settings, credentials, now=time.monotonic())
        self._show()
        self._revoke(before, credentials)
        if settings.strict_expiry != strict:
            for session in self.sessions:
                self._sessions.lease_anew(session)
        self._warn(settings)

    def _take(self, handle: int, certificate: Certificate) -> None:
        """Show it to who connects from now on. Raises ValueError when it is of no use."""
        opened = replace(self._by_handle[handle], certificate=certificate)
        opened.retune(self._loop.engine, self._settings)
        self._by_handle[handle] = opened
        self._opened[:] = [opened if one.handle == handle else one for one in self._opened]

    def _revoke(self, before: Credentials, now: Credentials) -> None:
        verdicts: dict[str, bool] = {}
        for session in self.sessions:
            name = session.allocation.name
            if name not in verdicts:
                verdicts[name] = now.still_admits(name, before=before)
            if not verdicts[name]:
                self._registry.close(session, CloseReason.REVOKED)

    def _credentials(self, settings: TurnConf) -> Credentials:
        secrets = [secret.get_secret_value() for secret in settings.auth_secrets]
        if not secrets and settings.interfaces:
            if self._secret is None:
                self._secret = generated_secret(self._state)
            secrets = [self._secret]
        return Credentials(
            realm=settings.realm,
            users={name: password.get_secret_value() for name, password in settings.users.items()},
            secrets=secrets,
            urls=[url for one in settings.interfaces if (url := url_of(one))],
            asks=bool(settings.auth_http_address),
        )

    def _warn(self, settings: TurnConf) -> None:
        if self._service is None:
            return
        for network in settings.peers.allow:
            logger.warning("turn.peers.allow: clients of the relay can reach %s", network)
        for relay in settings.relay_addresses:
            if not is_here(relay.address):
                logger.warning(
                    "turn.relayAddresses: %s is no address of this machine; nobody gets a port of it",
                    relay.address,
                )
        for opened in self._opened:
            if opened.interface.transport is TurnTransport.DTLS and opened.is_chain:
                logger.warning(
                    "turn.interfaces, %s dtls: clients are shown the first certificate of the chain only",
                    opened.interface.bind,
                )

    def greeting(self) -> Iterator[str]:
        """What to tell whoever started it: with no credentials configured, where those are that hold."""
        settings = self._settings
        if self.is_on and not (settings.users or settings.auth_secrets or settings.auth_http_address):
            kept = f"in {self._state / FILE}" if self._state is not None else "made for this run"
            yield f"relay:    no turn.users or turn.authSecrets; the shared secret is {kept}"
