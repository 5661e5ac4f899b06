"""The RTSP server: its listeners, its UDP ports, and the connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path as FilePath
from types import TracebackType
from typing import Self, TypeVar

from headgate.core.auth import Access, Leases
from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.choices import Encryption, RtspTransport
from headgate.core.errors import ListenError
from headgate.core.events import ConnectionClosed, ConnectionOpened
from headgate.core.histogram import Histogram
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role
from headgate.engine import Accepted, EngineLoop, Event, Listen, Tls, UdpPort
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Paths
from headgate.media.rtsp.connection import RtspConnection
from headgate.media.rtsp.message import Status
from headgate.media.rtsp.session import Shared, UdpPorts
from headgate.media.rtsp.transport import Lower
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
T = TypeVar("T")


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
        self._listeners: list[int] = []
        self._udp_ports: list[UdpPort] = []
        self._tasks = asyncio.TaskGroup()
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
        for listener in self._listeners:
            self._loop.engine.close(listener)
            self._loop.detach(listener)
        self._listeners.clear()

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
        settings = self._settings
        if not settings.rtsp:
            return
        transports = {Lower[t.name] for t in settings.rtsp_transports if t is not RtspTransport.MULTICAST}
        plain = settings.rtsp_encryption is not Encryption.STRICT
        udp = self._open_udp() if plain and Lower.UDP in transports else None
        shared = Shared(
            loop=self._loop,
            registry=self._registry,
            paths=self._paths,
            sources=self._sources,
            settings=settings,
            access=self._access,
            leases=self._leases,
            tasks=self._tasks,
            on_demand=self._on_demand,
            udp=udp,
            join_times=self.join_times,
        )
        if plain:
            self._open_service(
                "RTSP",
                Protocol.RTSP,
                shared=shared,
                address=settings.rtsp_address,
                key="rtspAddress",
                transports=transports,
                tls=None,
            )
        if settings.rtsp_encryption is not Encryption.NO:
            # Over TCP alone: datagrams in the clear beside an encrypted connection would betray it.
            self._open_service(
                "RTSPS",
                Protocol.RTSPS,
                shared=shared,
                address=settings.rtsps_address,
                key="rtspsAddress",
                transports=transports & {Lower.TCP},
                tls=_read_tls(settings),
            )

    def _open_service(
        self,
        name: str,
        protocol: Protocol,
        *,
        shared: Shared,
        address: str,
        key: str,
        transports: Collection[Lower],
        tls: Tls | None,
    ) -> None:
        where = ListenAddress.parse(address)

        def listen(host: str) -> tuple[int, Endpoint]:
            wanted = Listen(
                host=host,
                port=where.port,
                tls=tls,
                read_timeout=self._settings.read_timeout,
                write_timeout=self._settings.write_timeout,
                connection_limit=_connection_limit(self._settings),
            )
            try:
                handle, port = self._loop.engine.listen(wanted)
            except ValueError as error:
                if tls is None:
                    raise
                raise ListenError(f"{name}: {error} (rtspServerCert, rtspServerKey)") from None
            return handle, Endpoint(host, port)

        service = Service(name=name, protocol=protocol, router=ROUTER, started=datetime.now(UTC))
        table = self._connections.setdefault(protocol, {})

        def accept(event: Event) -> None:
            if isinstance(event, Accepted):
                connection = RtspConnection(
                    event,
                    shared=shared,
                    service=service,
                    transports=transports,
                    on_refusal=self._count_refusal,
                    on_closed=leave,
                )
                table[connection.uuid] = connection
                self._registry.bus.publish(ConnectionOpened(**_names(connection)))
                self._loop.attach(connection.handle, connection.on_event)

        def leave(connection: RtspConnection, reason: EngineReason) -> None:
            del table[connection.uuid]
            self._registry.bus.publish(ConnectionClosed(**_names(connection)))
            self.closures[reason.name.lower()] += 1
            self._left.set()

        handle, endpoint = _bind(listen, where, service=name, key=key)
        self._listeners.append(handle)
        self._loop.attach(handle, accept)
        endpoints = [(endpoint, "TCP")]
        if shared.udp is not None and Lower.UDP in transports:
            endpoints += [(_endpoint(port), "UDP") for port in (shared.udp.rtp, shared.udp.rtcp)]
        self._registry.add_service(service, endpoints)

    def _open_udp(self) -> UdpPorts:
        rtp = ListenAddress.parse(self._settings.rtp_address)
        rtcp = ListenAddress.parse(self._settings.rtcp_address)
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


def _read_tls(settings: GlobalConf) -> Tls:
    def read(file: str, key: str) -> bytes:
        try:
            return FilePath(file).read_bytes()
        except OSError as error:
            raise ListenError(f"RTSPS: cannot read {file} ({key}): {error.strerror}") from None

    return Tls(
        certificate_pem=read(settings.rtsp_server_cert, "rtspServerCert"),
        key_pem=read(settings.rtsp_server_key, "rtspServerKey"),
    )


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
