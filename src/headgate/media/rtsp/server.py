"""The RTSP server: its listeners, its UDP ports, and the connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from headgate.core.auth import Access, Leases
from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.change import Change, Prepared
from headgate.core.config.choices import Encryption
from headgate.core.errors import ListenError, NotFound
from headgate.core.events import ConnectionClosed, ConnectionOpened
from headgate.core.histogram import Histogram
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role
from headgate.engine import Accepted, EngineLoop, Event, Handler, Listen, UdpPort
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Paths
from headgate.media.rtsp.connection import RtspConnection
from headgate.media.rtsp.message import Status
from headgate.media.rtsp.session import Shared, UdpPorts
from headgate.media.rtsp.transport import Lower
from headgate.media.rtsp.wanted import KEYS, Wanted, WantedListener, transports_of
from headgate.media.sources import Sources

__all__ = ["RtspServer"]

ROUTER = "paths"
PAIR_ATTEMPTS = 64
"""Tries to find an even free port with a free one behind it, when any will do; one in two succeeds."""
CONNECTION_LIMIT = 20_000
"""Of one listener, where descriptors suffice."""
OTHERS_DESCRIPTORS = 640
"""What clients must leave: 512 for the operator's listener, the rest for files and sockets of ours."""
FAREWELL_TIMEOUT = 1.2
"""Seconds for connections to take what is queued for them; the engine itself waits one at most."""
JOIN_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. On loopback a join is over in two milliseconds, on demand it may take ten seconds."""
EXCHANGE_ATTEMPTS = 200
EXCHANGE_INTERVAL = 0.005
"""Seconds. The engine closes a listener on a thread of its own, within the first of them."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    wanted: WantedListener
    listen: Listen
    """As it was opened, the port bound."""
    handle: int


@dataclass(frozen=True, slots=True)
class Running:
    """A service that takes clients."""

    service: Service
    accept: Handler
    opened: Opened


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
        self._shared: Shared | None = None
        """What new connections get; those there are keep theirs."""
        self._running: dict[Protocol, Running] = {}
        self._udp_users: Counter[int] = Counter()
        """Connections that may use a pair of UDP ports, by the handle of the RTP one."""
        self._udp_ports: list[UdpPort] = []
        self._left = asyncio.Event()
        """Set whenever a connection is gone."""
        self._connections: dict[Protocol, dict[uuid.UUID, RtspConnection]] = {}
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
        for running in self._running.values():
            self._close_listener(running.opened.handle)
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
        udp = self._open_udp(self._settings) if wanted.udp else None
        self._shared = self._share(self._settings, udp)
        for protocol, listener in wanted.listeners.items():
            self._start(protocol, self._listen(listener.arguments(), listener))

    def _share(self, settings: GlobalConf, udp: UdpPorts | None) -> Shared:
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
            join_times=self.join_times,
        )

    def _listen(self, listen: Listen, wanted: WantedListener) -> Opened:
        """Raises ListenError."""

        def bind(host: str) -> Opened:
            limit = _connection_limit(self._settings)
            try:
                handle, port = self._loop.engine.listen(replace(listen, host=host, connection_limit=limit))
            except ValueError as error:
                if listen.tls is None:
                    raise
                raise ListenError(f"{wanted.service}: {error} (rtspServerCert, rtspServerKey)") from None
            return Opened(wanted, replace(listen, host=host, port=port), handle)

        where = ListenAddress(listen.host, listen.port)
        return _bind(bind, where, service=wanted.service, key=wanted.key)

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
                    self._release(shared.udp)

                connection = RtspConnection(
                    event,
                    shared=shared,
                    service=service,
                    transports=transports_of(shared.settings, protocol),
                    on_refusal=self._count_refusal,
                    on_closed=leave,
                )
                table[connection.uuid] = connection
                if shared.udp is not None:
                    self._udp_users[shared.udp.rtp.handle] += 1
                self._registry.bus.publish(ConnectionOpened(**_names(connection)))
                self._loop.attach(connection.handle, connection.on_event)

        self._connections[protocol] = table
        self._running[protocol] = Running(service, accept, opened)
        self._loop.attach(opened.handle, accept)
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
            endpoints += [(_endpoint(port), "UDP") for port in (shared.udp.rtp, shared.udp.rtcp)]
        return endpoints

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        """Open what it needs. Where a listener stays on its port it is exchanged: closed and opened anew,
        which those who connect in that millisecond notice; who is connected already does not.
        """
        if not change.concerns(*KEYS) or self._registry.draining:
            return None  # who stops lets nobody in, however it is configured
        prepared = NewListeners(self, change.new.global_, before=change.old.global_)
        try:
            await prepared.open()
        except BaseException:
            await prepared.rollback()
            raise
        return prepared

    def _stop(self, protocol: Protocol) -> None:
        """The service is not configured any more: neither are its clients."""
        running = self._running.pop(protocol)
        self._close_listener(running.opened.handle)
        for connection in sorted(self._connections.pop(protocol).values(), key=_publishes):
            if connection.session is not None:
                self._registry.close(connection.session, CloseReason.RECONFIGURED)
            connection.hang_up()
        self._registry.remove_service(running.service)

    def _close_listener(self, handle: int) -> None:
        self._loop.engine.close(handle)
        self._loop.detach(handle)

    def _release(self, udp: UdpPorts | None) -> None:
        """One connection less uses these ports; the last turns off the light, where they are of the past."""
        if udp is None:
            return
        self._udp_users[udp.rtp.handle] -= 1
        self._close_unused(udp)

    def _close_unused(self, udp: UdpPorts) -> None:
        present = self._shared.udp if self._shared else None
        if udp is present or self._udp_users[udp.rtp.handle] > 0:
            return
        for port in (udp.rtp, udp.rtcp):
            if port in self._udp_ports:
                self._udp_ports.remove(port)
                self._loop.engine.close(port.handle)
        del self._udp_users[udp.rtp.handle]

    def _open_udp(self, settings: GlobalConf) -> UdpPorts:
        rtp = ListenAddress.parse(settings.rtp_address)
        rtcp = ListenAddress.parse(settings.rtcp_address)
        attempts = 1 if rtp.port or rtcp.port else PAIR_ATTEMPTS
        for attempt in range(attempts):
            first = self._bind_udp(rtp, key="rtpAddress")
            if attempts > 1:
                if first.port % 2:  # RFC 3550 11: RTP on an even port, RTCP on the next
                    self._loop.engine.close(first.handle)
                    continue
                rtcp = ListenAddress(rtcp.host, first.port + 1)
            try:
                second = self._bind_udp(rtcp, key="rtcpAddress")
            except ListenError:
                self._loop.engine.close(first.handle)
                if attempt + 1 == attempts:
                    raise
            else:
                self._udp_ports += [first, second]
                return UdpPorts(rtp=first, rtcp=second)
        raise ListenError("RTSP: no two neighbouring UDP ports are free (rtpAddress, rtcpAddress)")

    def _bind_udp(self, where: ListenAddress, *, key: str) -> UdpPort:
        def bind(host: str) -> UdpPort:
            return self._loop.engine.bind_udp(host, where.port)

        return _bind(bind, where, service="RTSP", key=key)

    def _close_all(self) -> None:
        self.close_listeners()
        for port in self._udp_ports:
            self._loop.engine.close(port.handle)
        self._udp_ports.clear()

    def _count_refusal(self, status: Status) -> None:
        self.refusals[status] += 1


def _bind(bind: Callable[[str], T], where: ListenAddress, *, service: str, key: str) -> T:
    """Raises ListenError. "::" means IPv4 alone on a machine without IPv6."""
    try:
        try:
            return bind(where.host)
        except OSError as error:
            if where.host != "::" or error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                raise
            return bind("0.0.0.0")  # noqa: S104 (every interface is what the configuration says)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
    except ValueError as error:
        reason = str(error)
    shown = f"[{where.host}]:{where.port}" if ":" in where.host else f"{where.host}:{where.port}"
    raise ListenError(f"{service}: cannot listen on {shown.removeprefix('[::]')} ({key}): {reason.lower()}")


def _connection_limit(settings: GlobalConf) -> int:
    """A listener's share of the descriptors, so that no flood of clients locks the operator out."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return CONNECTION_LIMIT
    listeners = 2 if settings.rtsp_encryption is Encryption.OPTIONAL else 1
    free = max(descriptors - OTHERS_DESCRIPTORS, descriptors // 2)
    return min(CONNECTION_LIMIT, free // listeners)


def _endpoint(port: UdpPort) -> Endpoint:
    return Endpoint(port.host, port.port)


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


class NewListeners:
    """What `RtspServer.prepare` opened, for a configuration that is not in force yet."""

    def __init__(self, server: RtspServer, settings: GlobalConf, *, before: GlobalConf) -> None:
        self._server = server
        self._settings = settings
        self._wanted = Wanted.of(settings)
        self._before = Wanted.of(before)
        self._opened: dict[Protocol, Opened] = {}
        self._exchanged: dict[Protocol, Opened] = {}
        """Closed already, to make way for its successor on the same port."""
        self._udp: UdpPorts | None = None

    async def open(self) -> None:
        """Raises ListenError."""
        server = self._server
        if self._wanted.udp and self._wanted.udp != self._before.udp:
            self._udp = server._open_udp(self._settings)
        for protocol, wanted in self._wanted.listeners.items():
            running = server._running.get(protocol)
            if running is None or running.opened.wanted != wanted:
                await self._open_listener(protocol, wanted, running)

    async def _open_listener(
        self, protocol: Protocol, wanted: WantedListener, running: Running | None
    ) -> None:
        listen = wanted.arguments()
        if running is not None and wanted.address == running.opened.wanted.address:
            listen = replace(listen, port=running.opened.listen.port)  # where any would do, the same
        if running is None or listen.port != running.opened.listen.port:
            self._opened[protocol] = self._server._listen(listen, wanted)
        else:
            self._server._close_listener(running.opened.handle)
            self._exchanged[protocol] = running.opened
            self._opened[protocol] = await self._listen_again(listen, wanted)
        if running is not None:
            self._server._loop.attach(self._opened[protocol].handle, running.accept)

    async def _listen_again(self, listen: Listen, wanted: WantedListener) -> Opened:
        """On a port that a listener of ours is about to leave. Raises ListenError."""
        for _ in range(EXCHANGE_ATTEMPTS):
            try:
                return self._server._listen(listen, wanted)
            except ListenError:
                await asyncio.sleep(EXCHANGE_INTERVAL)
        return self._server._listen(listen, wanted)

    async def rollback(self) -> None:
        server = self._server
        for opened in self._opened.values():
            server._close_listener(opened.handle)
        for protocol, opened in self._exchanged.items():
            again = await self._listen_again(opened.listen, opened.wanted)
            running = server._running[protocol]
            server._running[protocol] = replace(running, opened=again)
            server._loop.attach(again.handle, running.accept)
        if self._udp is not None:
            server._close_unused(self._udp)

    def commit(self) -> None:
        server = self._server
        if server._registry.draining:  # since it was prepared
            for opened in self._opened.values():
                server._close_listener(opened.handle)
            return
        past = server._in_service()
        udp = (self._udp or past.udp) if self._wanted.udp else None
        server._settings = self._settings
        server._shared = server._share(self._settings, udp)
        for protocol in [one for one in server._running if one not in self._wanted.listeners]:
            server._stop(protocol)
        for protocol, opened in self._opened.items():
            running = server._running.get(protocol)
            if running is None:
                server._start(protocol, opened)
                continue
            if protocol not in self._exchanged:
                server._close_listener(running.opened.handle)
            server._running[protocol] = replace(running, opened=opened)
        for protocol, running in server._running.items():
            present = [(one.endpoint, one.transport) for one in running.service.listeners]
            if present != (endpoints := server._endpoints(protocol)):
                server._registry.move_service(running.service, endpoints)
        if past.udp is not None and past.udp is not udp:
            server._close_unused(past.udp)
