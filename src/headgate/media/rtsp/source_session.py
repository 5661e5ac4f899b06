"""A pull as the rest of headgate knows it: a session that publishes what another server sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from headgate.core.service import Endpoint, Service
from headgate.core.session import CloseReason, Role, Session, SessionId
from headgate.engine import (
    Channel,
    Closed,
    Connection,
    EngineLoop,
    Event,
    PublishTcp,
    PublishUdp,
    Remote,
    Stream,
    UdpPort,
)
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Path, Paths
from headgate.media.rtsp.client_events import SourceTrack
from headgate.media.rtsp.sdp import SessionDescription

__all__ = ["UDP_SILENCE", "SourceSession"]

logger = logging.getLogger(__name__)

UDP_SILENCE = 86400.0
"""Seconds the engine lets a datagram flow be silent. It has one for each track, and a track may have
nothing to say for hours: whether all of them are silent is looked at together."""


class SourceSession(Session):
    """Opened when the connection to the server stands; ends with it."""

    def __init__(
        self,
        *,
        id: SessionId,
        service: Service,
        remote: Endpoint,
        local: Endpoint,
        created: datetime,
        loop: EngineLoop,
        paths: Paths,
        connection: Connection,
        on_end: Callable[[CloseReason], None],
    ) -> None:
        super().__init__(id=id, service=service, remote=remote, local=local, created=created)
        self._loop = loop
        self._paths = paths
        self._connection = connection
        self._on_end = on_end
        """Told when somebody ended the session, or it is to end: the first time counts."""
        self._path: Path | None = None
        self._flows: list[int] = []

    @property
    def kind(self) -> str:
        return "rtspSource"

    @property
    def flows(self) -> Sequence[int]:
        return self._flows

    def publish(
        self,
        name: str,
        *,
        description: SessionDescription,
        tracks: Mapping[int, SourceTrack],
        ports: Mapping[int, tuple[UdpPort, UdpPort]],
        any_port: bool,
    ) -> None:
        """Feed the path. `ports` by track, for datagrams. Raises HeadgateError, ValueError, OSError."""
        self._path, publication = self._paths.feed(
            self, name=name, tracks=description.tracks, description=description.for_readers()
        )
        if ports:
            for number, track in tracks.items():
                remote = self._remote(number, track, any_port=any_port)
                rtp, rtcp = ports[number]
                self._attach(
                    self._loop.engine.publish_udp(
                        PublishUdp(
                            stream=publication.stream,
                            connection=self._connection,
                            rtp=rtp.handle,
                            rtcp=rtcp.handle,
                            remotes=[remote],
                            read_timeout=UDP_SILENCE,
                        )
                    )
                )
        else:
            self._attach(self._publish_tcp(publication.stream, tracks))
        self.transport = next(iter(tracks.values())).granted.lower
        self.role = Role.PUBLISH

    def _publish_tcp(self, stream: Stream, tracks: Mapping[int, SourceTrack]) -> int:
        channels = [
            Channel(track=number, rtp=track.pair.rtp, rtcp=track.pair.rtcp)
            for number, track in tracks.items()
        ]
        return self._loop.engine.publish_tcp(
            PublishTcp(stream=stream, connection=self._connection, channels=channels)
        )

    def _remote(self, number: int, track: SourceTrack, *, any_port: bool) -> Remote:
        server = track.granted.server_ports
        if track.granted.group is not None:
            # Whoever sends to the group, where the server does not say who.
            return Remote(track=number, host=track.granted.source or "0.0.0.0", rtp_port=0, rtcp_port=0)  # noqa: S104
        return Remote(
            track=number,
            host=track.granted.source or self.remote.host,
            # 0: any. RTCP goes back to where the server says it listens.
            rtp_port=server.rtp if server and not any_port else 0,
            rtcp_port=server.rtcp if server else 0,
            srtp=track.srtp,
        )

    def silent_for(self) -> float:
        """Seconds since the last packet of any track; 0 before there is a flow."""
        counters = self._loop.engine.counters(self._flows)
        return min((each.idle_s for each in counters if each is not None), default=0.0)

    def packets(self) -> int:
        """Received so far."""
        counters = self._loop.engine.counters(self._flows)
        return sum(each.packets_received for each in counters if each is not None)

    def end(self, reason: CloseReason) -> None:
        for flow in self._flows:
            self._loop.engine.close(flow)
        path, self._path = self._path, None
        if path is not None:
            self._paths.unpublish(path, session=self)
        logger.info(
            "%s session %d to %s closed: %s; source of path '%s'",
            self.service.name,
            self.id.number,
            self.remote,
            reason,
            self.target,
        )
        self._on_end(reason)

    def _attach(self, flow: int) -> None:
        self._flows.append(flow)
        self._loop.attach(flow, self._on_flow)

    def _on_flow(self, event: Event) -> None:
        if not isinstance(event, Closed):
            return
        self._flows.remove(event.handle)
        self.finish(event.counters)
        if event.reason == EngineReason.FAULT:
            self._on_end(CloseReason.FAULT)  # its connection may stand, and nothing would come any more
