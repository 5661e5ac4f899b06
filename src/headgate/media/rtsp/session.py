"""An RTSP session as the rest of headgate knows it: what it publishes or reads, and through which flow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate.core.auth import Access, Leases
from headgate.core.config import GlobalConf
from headgate.core.histogram import Histogram
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Service
from headgate.core.session import CloseReason, Role, Session, SessionId
from headgate.engine import (
    Channel,
    Closed,
    Connection,
    EngineLoop,
    Event,
    Flow,
    Hear,
    PublishTcp,
    PublishUdp,
    ReadTcp,
    ReadUdp,
    Remote,
    Stream,
)
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Path, Paths
from headgate.media.rtsp.agreement import SetupTrack
from headgate.media.rtsp.multicast import Multicast, MulticastSender
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.transport import Group, Lower
from headgate.media.rtsp.tunnel import Tunnels
from headgate.media.rtsp.udp_ports import UdpPorts
from headgate.media.sources import Sources

__all__ = ["ENGINE_REASONS", "RtspSession", "Shared"]

logger = logging.getLogger(__name__)

ENGINE_REASONS: Mapping[EngineReason, CloseReason] = {
    # What we ask for is said to the registry before; who asks without saying is `EngineLoop`, after a bug.
    EngineReason.REQUESTED: CloseReason.FAULT,
    EngineReason.PEER: CloseReason.PEER,
    EngineReason.READ_TIMEOUT: CloseReason.READ_TIMEOUT,
    EngineReason.WRITE_TIMEOUT: CloseReason.WRITE_TIMEOUT,
    EngineReason.OVERFLOW: CloseReason.WRITE_TIMEOUT,
    EngineReason.TLS: CloseReason.PROTOCOL_ERROR,
    EngineReason.STREAM_CLOSED: CloseReason.PUBLISHER_GONE,
    EngineReason.SHUTDOWN: CloseReason.SHUTDOWN,
    EngineReason.FAULT: CloseReason.FAULT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every connection and session of the RTSP server uses."""

    loop: EngineLoop
    registry: Registry
    paths: Paths
    sources: Sources
    settings: GlobalConf
    access: Access
    leases: Leases
    tasks: asyncio.TaskGroup
    """The server's, for decisions that take time. A task in it must not raise."""
    on_demand: OnDemandHooks
    udp: UdpPorts | None
    """None where UDP is off."""
    tunnels: Tunnels
    multicast: Multicast
    join_times: Histogram
    """Seconds from a connection's first request to the answer of its first PLAY."""


class RtspSession(Session):
    """Made at ANNOUNCE or at a reader's first SETUP; its connection tells it what the client does next."""

    def __init__(
        self,
        *,
        id: SessionId,
        service: Service,
        remote: Endpoint,
        local: Endpoint,
        created: datetime,
        shared: Shared,
        connection: Connection,
        hang_up: Callable[[], None],
    ) -> None:
        super().__init__(id=id, service=service, remote=remote, local=local, created=created)
        self._shared = shared
        self._connection = connection
        self._hang_up = hang_up
        """Closes the connection, for an end that is not the client's own wish."""
        self._path: Path | None = None
        self._flow: Flow | None = None
        self._sender: MulticastSender | None = None
        self._flows: list[int] = []

    @property
    def flows(self) -> Sequence[int]:
        return self._flows

    @property
    def flow(self) -> Flow | None:
        """The one that moves packets now."""
        return self._flow

    # Publishing

    def publish(
        self, name: str, *, description: SessionDescription, tracks: Mapping[int, SetupTrack]
    ) -> None:
        """Take the path and feed it. Raises NotFound, Refused, ValueError, OSError; then it has no path."""
        if self._flow is not None:
            return
        paths = self._shared.paths
        path, publication = paths.publish(
            self, name=name, tracks=description.tracks, description=description.for_readers()
        )
        try:
            self._attach(self._publish_flow(publication.stream, tracks))
        except (OSError, ValueError):
            paths.unpublish(path, session=self)
            raise
        self._path = path
        self._take_role(Role.PUBLISH)

    def stop_publishing(self) -> None:
        """PAUSE: the path is nobody's until RECORD comes again, as with MediaMTX."""
        self._let_go()
        self._take_role(Role.IDLE)

    def _publish_flow(self, stream: Stream, tracks: Mapping[int, SetupTrack]) -> int:
        engine = self._shared.loop.engine
        udp = self._shared.udp
        if _lower(tracks) is Lower.UDP and udp is not None:
            return engine.publish_udp(
                PublishUdp(
                    stream=stream,
                    connection=self._connection,
                    rtp=udp.rtp.handle,
                    rtcp=udp.rtcp.handle,
                    remotes=self._remotes(tracks),
                    read_timeout=self._shared.settings.read_timeout,
                )
            )
        return engine.publish_tcp(
            PublishTcp(stream=stream, connection=self._connection, channels=_channels(tracks))
        )

    # Reading

    def join(self, path: Path, *, sender: MulticastSender | None) -> None:
        """Become one of the path's readers, at the first SETUP, and of its groups. Raises Refused."""
        self._shared.paths.read(self, path=path)
        self._path = path
        if sender is not None:
            sender.enter(self)
            self._sender = sender

    def group(self, track: int) -> Group | None:
        """Where a track is heard; None over other transports."""
        return self._sender.groups[track] if self._sender is not None else None

    def prepare(self, tracks: Mapping[int, SetupTrack]) -> None:
        """Make the flow, which waits for `play`. Raises ValueError, OSError."""
        if self._flow is None and self._path is not None and self._path.stream is not None:
            self._attach(self._read_flow(self._path.stream, tracks))

    def play(self) -> None:
        """Let packets flow. What must reach the client before them is queued already."""
        if self._flow is not None and self.role is not Role.READ:
            self._shared.loop.engine.play(self._flow)
            if self._sender is not None:
                self._sender.play(self)
            self._take_role(Role.READ)

    def pause(self) -> None:
        if self._flow is not None:
            self._shared.loop.engine.pause(self._flow)
            if self._sender is not None:
                self._sender.pause(self)
            self._take_role(Role.IDLE)

    def _read_flow(self, stream: Stream, tracks: Mapping[int, SetupTrack]) -> int:
        engine = self._shared.loop.engine
        udp = self._shared.udp
        if self._sender is not None:
            # The sender's flow moves the packets; this one is what the reader says of them.
            return engine.hear(
                Hear(
                    connection=self._connection,
                    host=self.remote.host,
                    ports=self._sender.reports(tracks),
                )
            )
        if _lower(tracks) is Lower.UDP and udp is not None:
            return engine.read_udp(
                ReadUdp(
                    stream=stream,
                    connection=self._connection,
                    rtp=udp.rtp.handle,
                    rtcp=udp.rtcp.handle,
                    remotes=self._remotes(tracks),
                )
            )
        return engine.read_tcp(
            ReadTcp(
                stream=stream,
                connection=self._connection,
                channels=_channels(tracks),
                queue_packets=self._shared.settings.write_queue_size,
            )
        )

    # The end

    def end(self, reason: CloseReason) -> None:
        """Called by the registry. The engine says goodbye to readers with RTCP BYE."""
        totals = self._shared.registry.totals([self])[0]
        self._let_go()
        logger.info(
            "%s session %d of %s closed: %s; path '%s', %d packets (%d bytes) in, %d (%d bytes) out,"
            " %d lost, %d discarded",
            self.service.name,
            self.id.number,
            self.remote,
            reason,
            self.target,
            totals.packets_received,
            totals.bytes_received,
            totals.packets_sent,
            totals.bytes_sent,
            totals.packets_lost,
            totals.packets_discarded,
        )
        if reason is not CloseReason.GOODBYE:
            self._hang_up()

    def _let_go(self) -> None:
        """Give up flow and path. A flow's totals stay with the session."""
        flow, self._flow = self._flow, None
        if flow is not None:
            self._shared.loop.engine.close(flow)
        sender, self._sender = self._sender, None
        if sender is not None:
            self._shared.multicast.leave(sender, session=self)
        path, self._path = self._path, None
        if path is not None:
            self._shared.paths.leave(path, session=self)
            self._shared.paths.unpublish(path, session=self)

    def _attach(self, flow: int) -> None:
        self._flow = Flow(flow)
        self._flows.append(flow)
        self._shared.loop.attach(flow, self._on_flow)

    def _on_flow(self, event: Event) -> None:
        """The engine closed a flow: at our wish, with its connection, or for a reason of its own."""
        if not isinstance(event, Closed):
            return
        self._flows.remove(event.handle)
        self.finish(event.counters)
        if event.handle != self._flow:
            return
        self._flow = None
        self._shared.registry.close(self, ENGINE_REASONS[EngineReason(event.reason)])

    def _take_role(self, role: Role) -> None:
        self.role = role
        self._shared.registry.changed(self)

    def _remotes(self, tracks: Mapping[int, SetupTrack]) -> list[Remote]:
        """Always the connection's own address: a `destination` of the client's choice would let it
        aim our packets at others (RFC 2326 12.39).
        """
        return [
            Remote(
                track=number,
                host=self.remote.host,
                rtp_port=track.transport.pair.rtp,
                rtcp_port=track.transport.pair.rtcp,
                srtp=track.srtp,
            )
            for number, track in sorted(tracks.items())
        ]


def _channels(tracks: Mapping[int, SetupTrack]) -> list[Channel]:
    return [
        Channel(
            track=number,
            rtp=track.transport.pair.rtp,
            rtcp=track.transport.pair.rtcp,
            srtp=track.srtp,
        )
        for number, track in sorted(tracks.items())
    ]


def _lower(tracks: Mapping[int, SetupTrack]) -> Lower:
    return next(iter(tracks.values())).transport.offer.lower
