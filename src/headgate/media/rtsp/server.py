"""The RTSP server: its listeners, its UDP ports, and the connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from headgate.core.auth import Access, Leases
from headgate.core.certificate import Certificate
from headgate.core.config import GlobalConf
from headgate.core.config.change import Change, Prepared
from headgate.core.errors import NotFound
from headgate.core.events import ConnectionClosed, ConnectionOpened
from headgate.core.histogram import Histogram
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.registry import Registry
from headgate.core.renewal import Renewal
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role
from headgate.engine import Accepted, EngineLoop, Event
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Paths
from headgate.media.rtsp.connection import RtspConnection
from headgate.media.rtsp.listeners import Listeners, Opened, Running
from headgate.media.rtsp.message import Status
from headgate.media.rtsp.multicast import Multicast
from headgate.media.rtsp.new_listeners import NewListeners
from headgate.media.rtsp.session import Shared
from headgate.media.rtsp.transport import Lower
from headgate.media.rtsp.tunnel import Tunnels
from headgate.media.rtsp.udp_ports import UdpPairs, UdpPorts
from headgate.media.rtsp.wanted import KEYS, Wanted, transports_of
from headgate.media.sources import Sources

__all__ = ["RtspServer"]

ROUTER = "paths"
FAREWELL_TIMEOUT = 1.2
"""Seconds for connections to take what is queued for them; the engine itself waits one at most."""
JOIN_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. On loopback a join is over in two milliseconds, on demand it may take ten seconds."""

logger = logging.getLogger(__name__)


class RtspServer:
    """Enter it to open every listener, or none: a port that is taken raises ListenError.

    Leaving it ends its sessions (`SHUTDOWN`) and connections.
    """

    def __init__(
        self,
        *,
        loop: EngineLoop,
        registry: Registry,
        paths: Paths,
        sources: Sources,
        on_demand: OnDemandHooks,
        settings: GlobalConf,
        access: Access,
        leases: Leases,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._paths = paths
        self._sources = sources
        self._on_demand = on_demand
        self._settings = settings
        self._access = access
        self._leases = leases
        self._tasks = asyncio.TaskGroup()
        self._tunnels = Tunnels()
        self.multicast = Multicast(loop)
        self._shared: Shared | None = None
        """What new connections get; those there are keep theirs."""
        self._listeners = Listeners(loop)
        self._pairs = UdpPairs(loop.engine)
        self._running: dict[Protocol, Running] = {}
        self._left = asyncio.Event()
        """Set whenever a connection is gone."""
        self._connections: dict[Protocol, dict[uuid.UUID, RtspConnection]] = {}
        self.renewal = Renewal(bus=registry.bus, take=self._take)
        self.join_times = Histogram(JOIN_TIMES)
        self.refusals: Counter[int] = Counter()
        """Requests answered with an error, by status, since the server started."""
        self.closures: Counter[str] = Counter()
        """Connections that are gone, by the engine's reason in lower case, since the server started."""

    @property
    def connections(self) -> Mapping[Protocol, Mapping[uuid.UUID, RtspConnection]]:
        """Open connections, oldest first. A protocol that is off is not in the mapping."""
        return self._connections

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            self._open()
        except BaseException:
            self._close_all()
            await self._tasks.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        await self._tasks.__aexit__(None, None, None)

    def close_listeners(self) -> None:
        """Take no more connections; those there are go on."""
        self.renewal.stop()
        for running in self._running.values():
            self._listeners.close(running.opened)
        self._running.clear()

    async def close(self) -> None:
        """Take no more clients, send away those there are, and wait until they are gone. Once is enough.

        Readers go before publishers: they end because the server does, not because their publisher did.
        """
        self._close_all()
        everyone = [one for table in self._connections.values() for one in table.values()]
        for connection in sorted(everyone, key=_publishes):
            if connection.session is not None:
                self._registry.close(connection.session, CloseReason.SHUTDOWN)
            connection.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                while any(self._connections.values()):
                    self._left.clear()
                    await self._left.wait()

    def _open(self) -> None:
        wanted = Wanted.of(self._settings)
        udp = self._pairs.open(self._settings) if wanted.udp else None
        self._shared = self._share(self._settings, udp)
        for protocol, listener in wanted.listeners.items():
            certificate = listener.read()
            if certificate is not None and (trouble := certificate.trouble(datetime.now(UTC))):
                logger.warning("%s: %s; it is served all the same", listener.service, trouble)
            self._start(protocol, self._listeners.open(listener, certificate, self._settings))
        self._follow_certificate()

    def _share(self, settings: GlobalConf, udp: UdpPorts | None) -> Shared:
        self._pairs.present = udp
        return Shared(
            loop=self._loop,
            registry=self._registry,
            paths=self._paths,
            sources=self._sources,
            on_demand=self._on_demand,
            settings=settings,
            access=self._access,
            leases=self._leases,
            tasks=self._tasks,
            udp=udp,
            tunnels=self._tunnels,
            multicast=self.multicast,
            join_times=self.join_times,
        )

    def _start(self, protocol: Protocol, opened: Opened) -> None:
        """Enter a service, and take its clients from now on."""
        name = opened.wanted.service
        service = self._service(name, protocol)
        table: dict[uuid.UUID, RtspConnection] = {}

        def accept(event: Event) -> None:
            if isinstance(event, Accepted):
                shared = self._in_service()

                def leave(connection: RtspConnection, reason: EngineReason) -> None:
                    self.closures[reason.name.lower()] += 1
                    del table[connection.uuid]
                    self._registry.bus.publish(ConnectionClosed(**_names(connection)))
                    self._left.set()
                    self._pairs.leave(shared.udp)

                connection = RtspConnection(
                    event,
                    shared=shared,
                    service=service,
                    transports=transports_of(shared.settings, protocol),
                    on_refusal=self._count_refusal,
                    on_closed=leave,
                )
                table[connection.uuid] = connection
                self._pairs.enter(shared.udp)
                self._registry.bus.publish(ConnectionOpened(**_names(connection)))
                self._loop.attach(connection.handle, connection.on_event)

        self._connections[protocol] = table
        self._running[protocol] = Running(service, accept, opened)
        self._listeners.attach(opened, accept)
        self._registry.add_service(service, self._endpoints(protocol))

    def _service(self, name: str, protocol: Protocol) -> Service:
        """The one that sources which are fetched belong to, where there are some already."""
        try:
            return self._registry.service(name)
        except NotFound:
            return Service(name=name, protocol=protocol, router=ROUTER, started=datetime.now(UTC))

    def _in_service(self) -> Shared:
        if self._shared is None:
            raise RuntimeError("a client came before the server was open")
        return self._shared

    def _endpoints(self, protocol: Protocol) -> list[tuple[Endpoint, str]]:
        listen, shared = self._running[protocol].opened.listen, self._in_service()
        endpoints = [(Endpoint(listen.host, listen.port), "TCP")]
        if shared.udp is not None and Lower.UDP in transports_of(shared.settings, protocol):
            pair = (shared.udp.rtp, shared.udp.rtcp)
            endpoints += [(Endpoint(port.host, port.port), "UDP") for port in pair]
        return endpoints

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        """Open what it needs. A listener that stays where it is goes on, and serves newcomers otherwise."""
        if not change.concerns(*KEYS) or self._registry.draining:
            return None  # who stops lets nobody in, however it is configured
        prepared = NewListeners(
            change.new.global_,
            before=change.old.global_,
            running=self._running,
            listeners=self._listeners,
            pairs=self._pairs,
            serve=self._serve,
        )
        try:
            await prepared.open()
        except BaseException:
            await prepared.rollback()
            raise
        return prepared

    def _serve(self, new: NewListeners) -> None:
        """Go over to what was opened, and let go of the old."""
        if self._registry.draining:  # since it was prepared
            new.close()
            return
        past = self._in_service()
        udp = (new.udp or past.udp) if new.wanted.udp else None
        self._settings = new.settings
        self._shared = self._share(new.settings, udp)
        for protocol in [one for one in self._running if one not in new.wanted.listeners]:
            self._stop(protocol)
        for protocol, opened in new.opened.items():
            running = self._running.get(protocol)
            if running is None:
                self._start(protocol, opened)
                continue
            self._serve_so(protocol, opened)
            self._listeners.leave(running.opened)
        for protocol, tuned in new.tuned.items():
            self._serve_so(protocol, tuned)
        self._follow_certificate()
        for protocol, running in self._running.items():
            present = [(one.endpoint, one.transport) for one in running.service.listeners]
            if present != (endpoints := self._endpoints(protocol)):
                self._registry.move_service(running.service, endpoints)
        if past.udp is not None and past.udp is not udp:
            self._pairs.close_unused(past.udp)

    def _serve_so(self, protocol: Protocol, made: Opened) -> None:
        """Who comes to a service that was there before is served as `made` says."""
        running = self._running[protocol]
        present = running.opened
        if made.wanted.certificate == present.wanted.certificate and made.certificate != present.certificate:
            # Renewed since this was prepared.
            listen = replace(made.listen, tls=present.listen.tls)
            made = replace(made, listen=listen, certificate=present.certificate)
            self._listeners.retune(made)
        elif made.handle == present.handle and made.listen != present.listen:
            self._listeners.retune(made)
        self._running[protocol] = replace(running, opened=made)

    def _stop(self, protocol: Protocol) -> None:
        """The service is not configured any more: neither are its clients."""
        running = self._running.pop(protocol)
        self._listeners.close(running.opened)
        for connection in sorted(self._connections.pop(protocol).values(), key=_publishes):
            if connection.session is not None:
                self._registry.close(connection.session, CloseReason.RECONFIGURED)
            connection.hang_up()
        self._registry.remove_service(running.service)

    def _take(self, certificate: Certificate) -> None:
        """Serve it to those who connect from now on. Raises ValueError when it is of no use."""
        running = self._running.get(Protocol.RTSPS)
        if running is None:
            return  # switched off meanwhile
        listen = replace(running.opened.listen, tls=certificate.tls)
        opened = replace(running.opened, listen=listen, certificate=certificate)
        self._listeners.retune(opened)
        self._running[Protocol.RTSPS] = replace(running, opened=opened)

    def _follow_certificate(self) -> None:
        running = self._running.get(Protocol.RTSPS)
        opened = running.opened if running else None
        self.renewal.follow(
            opened.wanted.certificate if opened else None,
            opened.certificate if opened else None,
            tasks=self._tasks,
        )

    def _close_all(self) -> None:
        self.close_listeners()
        self._pairs.close()

    def _count_refusal(self, status: Status) -> None:
        self.refusals[status] += 1


def _names(connection: RtspConnection) -> dict[str, str]:
    """What the events of a connection say."""
    return {
        "connection": str(connection.uuid),
        "kind": f"{connection.service.protocol}Conn",
        "service": connection.service.name,
        "remote": str(connection.remote),
    }


def _publishes(connection: RtspConnection) -> bool:
    return connection.session is not None and connection.session.role is Role.PUBLISH
