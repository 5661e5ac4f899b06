"""The RTSP server: its listeners, its UDP ports, and the connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from headgate.core.auth import Access, Leases
from headgate.core.certificate import Certificate
from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.change import Change, Prepared
from headgate.core.config.choices import Encryption
from headgate.core.errors import ListenError, NotFound
from headgate.core.events import ConnectionClosed, ConnectionOpened
from headgate.core.histogram import Histogram
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.registry import Registry
from headgate.core.renewal import Renewal
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role
from headgate.engine import Accepted, EngineLoop, Event, Handler, Listen, UdpPort
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Paths
from headgate.media.rtsp.connection import RtspConnection
from headgate.media.rtsp.message import Status
from headgate.media.rtsp.multicast import Multicast
from headgate.media.rtsp.session import Shared, UdpPorts
from headgate.media.rtsp.transport import Lower
from headgate.media.rtsp.tunnel import Tunnels
from headgate.media.rtsp.wanted import KEYS, Wanted, WantedListener, tls_of, transports_of
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
LINGER = 5.0
"""Seconds in which whom a listener had accepted when it was closed may still be told of."""
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    wanted: WantedListener
    listen: Listen
    """As it is served now, the port bound."""
    handle: int
    certificate: Certificate | None


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
        self._tunnels = Tunnels()
        self.multicast = Multicast(loop.engine)
        self._shared: Shared | None = None
        """What new connections get; those there are keep theirs."""
        self._running: dict[Protocol, Running] = {}
        self._udp_users: Counter[int] = Counter()
        """Connections that may use a pair of UDP ports, by the handle of the RTP one."""
        self._udp_ports: list[UdpPort] = []
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
            certificate = listener.read()
            if certificate is not None and (trouble := certificate.trouble(datetime.now(UTC))):
                logger.warning("%s: %s; it is served all the same", listener.service, trouble)
            self._start(protocol, self._listen(listener, certificate, self._settings))
        self._follow_certificate()

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
            tunnels=self._tunnels,
            multicast=self.multicast,
            join_times=self.join_times,
        )

    def _listen(
        self,
        wanted: WantedListener,
        certificate: Certificate | None,
        settings: GlobalConf,
        *,
        beside: Opened | None = None,
    ) -> Opened:
        """`beside`: a listener of ours that may have its port. Raises ListenError."""
        where = wanted.where
        listen = replace(wanted.arguments(certificate), connection_limit=_connection_limit(settings))
        if beside is not None and beside.listen.port == where.port:
            listen = replace(listen, beside=beside.handle)

        def bind(host: str) -> Opened:
            try:
                handle, port = self._loop.engine.listen(replace(listen, host=host))
            except ValueError as error:
                if wanted.certificate is None:
                    raise
                raise wanted.certificate.refused(error) from None
            return Opened(wanted, replace(listen, host=host, port=port, beside=None), handle, certificate)

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
        """Open what it needs. A listener that stays where it is goes on, and serves newcomers otherwise."""
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

    def _take(self, certificate: Certificate) -> None:
        """Serve it to those who connect from now on. Raises ValueError when it is of no use."""
        running = self._running.get(Protocol.RTSPS)
        if running is None:
            return  # switched off meanwhile
        listen = replace(running.opened.listen, tls=tls_of(certificate))
        self._loop.engine.retune(running.opened.handle, listen)
        opened = replace(running.opened, listen=listen, certificate=certificate)
        self._running[Protocol.RTSPS] = replace(running, opened=opened)

    def _follow_certificate(self) -> None:
        running = self._running.get(Protocol.RTSPS)
        opened = running.opened if running else None
        self.renewal.follow(
            opened.wanted.certificate if opened else None,
            opened.certificate if opened else None,
            tasks=self._tasks,
        )

    def _close_listener(self, handle: int) -> None:
        self._loop.engine.close(handle)
        self._loop.detach(handle)

    def _leave_listener(self, handle: int) -> None:
        """Another has taken its place: whom it had accepted already is a client like any other."""
        self._loop.engine.close(handle)
        asyncio.get_running_loop().call_later(LINGER, self._loop.detach, handle)

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
        # Pairs come and go as such: every other one is for RTP.
        for attempt in range(attempts):
            first = self._bind_udp(rtp, key="rtpAddress", others=self._udp_ports[::2])
            if attempts > 1:
                if first.port % 2:  # RFC 3550 11: RTP on an even port, RTCP on the next
                    self._loop.engine.close(first.handle)
                    continue
                rtcp = ListenAddress(rtcp.host, first.port + 1)
            try:
                second = self._bind_udp(rtcp, key="rtcpAddress", others=self._udp_ports[1::2])
            except ListenError:
                self._loop.engine.close(first.handle)
                if attempt + 1 == attempts:
                    raise
            else:
                self._udp_ports += [first, second]
                return UdpPorts(rtp=first, rtcp=second)
        raise ListenError("RTSP: no two neighbouring UDP ports are free (rtpAddress, rtcpAddress)")

    def _bind_udp(self, where: ListenAddress, *, key: str, others: Sequence[UdpPort]) -> UdpPort:
        """`others`: those that have its number, perhaps, and go when their sessions do."""
        beside = next((other.handle for other in others if other.port == where.port), None)

        def bind(host: str) -> UdpPort:
            return self._loop.engine.bind_udp(host, where.port, beside=beside)

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
        self._retuned: dict[Protocol, Opened] = {}
        """They stay where they are, and serve who comes otherwise."""
        self._udp: UdpPorts | None = None

    async def open(self) -> None:
        """Raises ListenError."""
        server = self._server
        if self._wanted.udp and self._wanted.udp != self._before.udp:
            self._udp = server._open_udp(self._settings)
        for protocol, wanted in self._wanted.listeners.items():
            running = server._running.get(protocol)
            certificate = await self._certificate(wanted, running)
            if running is not None and _stays(wanted, running.opened):
                self._retuned[protocol] = self._tuned(wanted, certificate, running.opened)
                continue
            beside = running.opened if running else None
            opened = server._listen(wanted, certificate, self._settings, beside=beside)
            self._opened[protocol] = opened
            if running is not None:
                server._loop.attach(opened.handle, running.accept)

    async def _certificate(self, wanted: WantedListener, running: Running | None) -> Certificate | None:
        """The one that is served, where it is of the same files: they are followed anyway, and a change of
        something else does not fail because of them. Raises ListenError.
        """
        if wanted.certificate is None:
            return None
        if running is not None and running.opened.wanted.certificate == wanted.certificate:
            return running.opened.certificate
        certificate = await asyncio.to_thread(wanted.certificate.read)
        if trouble := certificate.trouble(datetime.now(UTC)):
            raise wanted.certificate.refused(trouble)
        return certificate

    def _tuned(self, wanted: WantedListener, certificate: Certificate | None, opened: Opened) -> Opened:
        """Raises ListenError when it could not be served so."""
        listen = replace(
            wanted.arguments(certificate),
            host=opened.listen.host,
            port=opened.listen.port,
            connection_limit=_connection_limit(self._settings),
        )
        if wanted.certificate is not None and listen.tls is not None:
            try:
                self._server._loop.engine.check_tls(listen.tls)
            except ValueError as error:
                raise wanted.certificate.refused(error) from None
        return Opened(wanted, listen, opened.handle, certificate)

    async def rollback(self) -> None:
        server = self._server
        for opened in self._opened.values():
            server._close_listener(opened.handle)
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
            self._serve_so(protocol, opened)
            server._leave_listener(running.opened.handle)
        for protocol, tuned in self._retuned.items():
            self._serve_so(protocol, tuned)
        server._follow_certificate()
        for protocol, running in server._running.items():
            present = [(one.endpoint, one.transport) for one in running.service.listeners]
            if present != (endpoints := server._endpoints(protocol)):
                server._registry.move_service(running.service, endpoints)
        if past.udp is not None and past.udp is not udp:
            server._close_unused(past.udp)

    def _serve_so(self, protocol: Protocol, made: Opened) -> None:
        """Who comes to a service that was there before is served as `made` says."""
        server = self._server
        running = server._running[protocol]
        present, listen = running.opened, made.listen
        if made.wanted.certificate == present.wanted.certificate and made.certificate != present.certificate:
            # Renewed since this was prepared.
            listen = replace(listen, tls=present.listen.tls)
            made = replace(made, listen=listen, certificate=present.certificate)
            server._loop.engine.retune(made.handle, listen)
        elif made.handle == present.handle and listen != present.listen:
            server._loop.engine.retune(made.handle, listen)
        server._running[protocol] = replace(running, opened=made)


def _stays(wanted: WantedListener, opened: Opened) -> bool:
    """Whether it listens where it is wanted: the same words, or the very address that was bound."""
    bound = (opened.listen.host, opened.listen.port)
    return wanted.address == opened.wanted.address or (wanted.where.host, wanted.where.port) == bound
