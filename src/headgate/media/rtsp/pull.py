"""One connection to another server, for what it publishes: the client's machine joined to the engine."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from headgate.core.config import GlobalConf, PathConf
from headgate.core.config.play_range import play_range
from headgate.core.descriptors import are_spare
from headgate.core.errors import Draining, HeadgateError, NotFound
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, SessionId
from headgate.engine import (
    ClientTls,
    Closed,
    Connect,
    Connected,
    Connection,
    EngineLoop,
    Event,
    JoinGroup,
    Malformed,
    Received,
    Refusal,
    UdpPort,
)
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Paths
from headgate.media.rtsp import client_events as events
from headgate.media.rtsp.client import ClientProtocol
from headgate.media.rtsp.fallbacks import Fallbacks
from headgate.media.rtsp.location import Location
from headgate.media.rtsp.source_session import SourceSession
from headgate.media.rtsp.transport import Granted, Group, Lower, Pair
from headgate.media.source import SourceFailed
from headgate.media.source_address import SourceAddresses

__all__ = ["Pull", "PullShared", "pull_service"]

logger = logging.getLogger(__name__)

SERVICE = "RTSP"
UDP_PATIENCE = 3.0
"""Seconds to the first datagram; past them a firewall is in the way, and TCP is tried."""
WATCH = 1.0
"""Seconds between two looks at whether packets come."""
PAIR_ATTEMPTS = 64
"""Tries to find an even free port with a free one behind it; one in two succeeds."""
FAILURES = {
    EngineReason.CONNECT: "cannot connect",
    EngineReason.TLS: "its certificate is not to be believed, or TLS failed",
    EngineReason.PEER: "it closed the connection",
    EngineReason.READ_TIMEOUT: "nothing came for too long",
    EngineReason.WRITE_TIMEOUT: "it takes no requests",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullShared:
    """What every pull uses."""

    loop: EngineLoop
    registry: Registry
    paths: Paths
    settings: Callable[[], GlobalConf]
    service: Callable[[], Service]
    addresses: SourceAddresses
    fallbacks: Fallbacks = field(default_factory=Fallbacks)


def pull_service(registry: Registry) -> Service:
    """Pulls are sessions of the RTSP service; where it listens nowhere, it is there for them."""
    try:
        return registry.service(SERVICE)
    except NotFound:
        service = Service(name=SERVICE, protocol=Protocol.RTSP, router="paths", started=datetime.now(UTC))
        registry.add_service(service, ())
        return service


class Pull:
    """`run` lasts as long as the source does."""

    def __init__(
        self,
        location: Location,
        *,
        name: str,
        conf: PathConf,
        lowers: Sequence[Lower],
        written: bool,
        on_ready: Callable[[], None],
        shared: PullShared,
    ) -> None:
        """`written`: whether an operator wrote the location's host, and not a client or another server."""
        self._location = location
        self._name = name
        self._conf = conf
        self._lowers = lowers
        self._written = written
        self._on_ready = on_ready
        """Told when the path has its stream."""
        self._shared = shared
        self._settings = shared.settings()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        """A server's answer that the source is elsewhere; or what went wrong."""
        self._connection: Connection | None = None
        self._machine: ClientProtocol | None = None
        self._session: SourceSession | None = None
        self._ports: dict[int, tuple[UdpPort, UdpPort]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._playing_since: float | None = None

    async def run(self) -> str:
        """Returns where the server sends us instead. Raises SourceFailed."""
        try:
            self._connect(await self._resolve())
            while not self._ended.done():
                await asyncio.wait([self._ended], timeout=WATCH)
                self._watch()
            return self._ended.result()
        finally:
            self._leave()

    def stop(self, reason: CloseReason) -> None:
        """End the session for this reason. Whoever calls cancels `run` next."""
        self._say_goodbye()
        if self._session is not None:
            self._shared.registry.close(self._session, reason)

    async def _resolve(self) -> str:
        """One address, which is then the one connected to: a name that changes in between changes nothing."""
        host, port = self._location.host, self._location.port
        try:
            async with asyncio.timeout(self._settings.read_timeout):
                found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise SourceFailed(f"the address of {host} is not to be had in time") from None
        except OSError as error:
            raise SourceFailed(f"no address for {host}: {error.strerror or error}") from None
        # IPv4 first: cameras that have both answer there at least.
        found.sort(key=lambda info: info[0] != socket.AF_INET)
        ip = str(found[0][4][0])
        self._shared.addresses.check(ip, port=port, host=host, written=self._written)
        return ip

    def _connect(self, host: str) -> None:
        if self._conf.source_on_demand and not are_spare():
            # One path of a configuration, with an expression, is as many as clients ask for.
            raise SourceFailed("no descriptor is left for what is fetched on demand")
        pinned = self._conf.source_fingerprint.replace(":", "")  # as OpenSSL prints it, or without
        try:
            tls = ClientTls(
                server_name=self._location.host, fingerprint=bytes.fromhex(pinned) if pinned else None
            )
            handle = self._shared.loop.engine.connect(
                Connect(
                    host=host,
                    port=self._location.port,
                    tls=tls if self._location.encrypted else None,
                    read_timeout=self._settings.read_timeout,
                    write_timeout=self._settings.write_timeout,
                )
            )
        except (OSError, ValueError) as error:
            raise SourceFailed(f"cannot connect: {error}") from None
        self._connection = Connection(handle)
        self._shared.loop.attach(handle, self._on_event)

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._ended.cancel():
            self._ended.exception()  # seen, though nobody asks for it after a cancellation
        self._say_goodbye()
        if self._session is not None:
            # Of no effect where it was ended already: by `stop`, an operator, a bug.
            self._shared.registry.close(self._session, CloseReason.SOURCE_LOST)
        engine = self._shared.loop.engine
        if self._connection is not None:
            engine.close(self._connection)
        for pair in self._ports.values():
            for port in pair:
                engine.close(port.handle)

    def _say_goodbye(self) -> None:
        if self._machine is not None:
            self._machine.close()
            self._send()
        self._machine = None

    # Events

    def _on_event(self, event: Event) -> None:
        match event:
            case Connected():
                self._begin(event)
            case Received() if self._machine is not None:
                self._machine.receive(event.message, self._loop.time())
            case Malformed() if self._machine is not None:
                self._machine.malformed(Refusal(event.refusal))
            case Closed():
                self._connection = None
                reason = EngineReason(event.reason)
                self._fail(FAILURES.get(reason, f"the connection ended ({reason.name.lower()})"))
            case _:
                pass  # crossed with our own end
        self._work()

    def _begin(self, event: Connected) -> None:
        connection = Connection(event.connection)

        def make(session_id: SessionId, now: datetime) -> SourceSession:
            return SourceSession(
                id=session_id,
                service=self._shared.service(),
                remote=Endpoint(event.remote_host, event.remote_port),
                local=Endpoint(event.local_host, event.local_port),
                created=now,
                loop=self._shared.loop,
                paths=self._shared.paths,
                connection=connection,
                on_end=self._session_ended,
            )

        try:
            self._session = session = self._shared.registry.open(make)
        except Draining as error:
            self._fail(str(error))
            return
        session.target = self._name
        logger.info(
            "%s session %d to %s opened: source of path '%s'",
            session.service.name,
            session.id.number,
            session.remote,
            self._name,
        )
        self._machine = ClientProtocol(
            self._location,
            lowers=self._lowers,
            answer_timeout=self._settings.read_timeout,
            play_range=play_range(self._conf.rtsp_range_type, self._conf.rtsp_range_start),
            now=self._loop.time(),
        )

    def _session_ended(self, reason: CloseReason) -> None:
        self._fail(str(reason))

    # The machine

    def _work(self) -> None:
        while self._machine is not None and (batch := self._machine.events()):
            for event in batch:
                try:
                    self._handle(event, self._machine)
                except (HeadgateError, ValueError, OSError) as error:
                    self._fail(str(error))
                    return
        self._send()
        self._set_timer()

    def _send(self) -> None:
        if self._machine is not None and self._connection is not None and (data := self._machine.to_send()):
            self._shared.loop.engine.send(self._connection, data)

    def _handle(self, event: events.Event, machine: ClientProtocol) -> None:
        match event:
            case events.PortsWanted():
                machine.ports(self._bind(event.track))
            case events.Ready():
                self._publish(event, machine)
            case events.Playing():
                self._playing_since = self._loop.time()
            case events.Redirected():
                self._send()
                if not self._ended.done():
                    self._ended.set_result(event.location)
            case events.Failed():
                self._send()
                self._fail(event.text, transport=event.transport)

    def _publish(self, ready: events.Ready, machine: ClientProtocol) -> None:
        session = self._session
        if session is None:
            return
        over_udp = machine.lower is Lower.UDP
        for number, track in ready.tracks.items():
            if track.granted.group is not None:
                self._join(number, track.granted.group, source=track.granted.source)
        unsaid = any(track.granted.server_ports is None for track in ready.tracks.values())
        if over_udp and unsaid and not self._conf.rtsp_any_port:
            text = "the server does not say its UDP ports (rtspAnyPort takes packets from any)"
            self._fail(text, transport=True)
            return
        for track in ready.tracks.values():
            self._check_datagrams(track.granted, session.remote.host, over_udp=over_udp)
        # Before PLAY: the server may send the moment it has it.
        session.publish(
            self._name,
            description=ready.description,
            tracks=ready.tracks,
            ports=self._ports if machine.lower.is_datagrams else {},
            any_port=self._conf.rtsp_any_port,
        )
        machine.play()
        self._shared.registry.changed(session)
        self._on_ready()

    def _check_datagrams(self, granted: Granted, remote: str, *, over_udp: bool) -> None:
        """A server may have its packets, and our reports, go by another host. Raises SourceFailed."""
        ports = granted.server_ports
        if over_udp and granted.source and granted.source != remote:
            self._shared.addresses.check(granted.source, port=ports.rtcp if ports else 0, written=False)

    def _bind(self, track: int) -> Pair:
        """Two neighbouring ports of our own for one track. Raises OSError."""
        engine = self._shared.loop.engine
        host = self._session.local.host if self._session is not None else "::"
        for _ in range(PAIR_ATTEMPTS):
            rtp = engine.bind_udp(host, 0)
            if rtp.port % 2 == 0:  # RFC 3550 11
                with suppress(OSError):
                    rtcp = engine.bind_udp(host, rtp.port + 1)
                    self._ports[track] = rtp, rtcp
                    return Pair(rtp.port, rtcp.port)
            engine.close(rtp.handle)
        raise OSError("no two neighbouring UDP ports are free")

    def _join(self, track: int, group: Group, *, source: str | None) -> None:
        """Hear a track's group on the interface that the server is reached by. Raises SourceFailed."""
        engine = self._shared.loop.engine
        interface = self._session.local.host if self._session is not None else "::"
        if ":" in interface:
            raise SourceFailed("multicast is IPv4 alone, and the server was reached over IPv6")
        join = JoinGroup(
            host=group.host, port=group.ports.rtp, interfaces=[interface], source=source, ttl=group.ttl
        )
        rtp: UdpPort | None = None
        try:
            rtp = engine.join_group(join)
            self._ports[track] = rtp, engine.join_group(replace(join, port=group.ports.rtcp))
        except OSError as error:
            if rtp is not None:
                engine.close(rtp.handle)
            raise SourceFailed(f"cannot hear {group.host} by {interface}: {error.strerror}") from None

    # Time

    def _watch(self) -> None:
        """The engine closes a silent connection; that packets stop while answers come is seen here."""
        session, since = self._session, self._playing_since
        if session is None or since is None or self._ended.done():
            return
        if session.transport in {Lower.UDP, Lower.MULTICAST} and not session.packets():
            if self._loop.time() - since >= UDP_PATIENCE:
                self._fail(f"no packet came over {session.transport}", transport=True)
        elif min(session.silent_for(), self._loop.time() - since) >= self._settings.read_timeout:
            self._fail("no packet came for too long")

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.deadline() if self._machine is not None else None
        if deadline is not None and not self._ended.done():
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._machine is not None:
            self._machine.expire(self._loop.time())
            self._work()

    def _fail(self, text: str, *, transport: bool = False) -> None:
        if not self._ended.done():
            self._ended.set_exception(SourceFailed(text, transport=transport))
