"""The server's two UDP sockets, and those of the past that somebody still uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.errors import ListenError
from headgate.engine import Engine, UdpPort
from headgate.media.rtsp.binding import bind
from headgate.media.rtsp.transport import Pair

__all__ = ["UdpPairs", "UdpPorts"]

PAIR_ATTEMPTS = 64
"""Tries to find an even free port with a free one behind it, when any will do; one in two succeeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpPorts:
    """The server's two sockets, which carry every RTSP session over UDP."""

    rtp: UdpPort
    rtcp: UdpPort

    @property
    def numbers(self) -> Pair:
        return Pair(self.rtp.port, self.rtcp.port)


class UdpPairs:
    """Owns every pair: the one that newcomers use, and each that connections from before a change may use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pairs: list[UdpPorts] = []
        self._users: Counter[int] = Counter()
        """Connections that may use a pair, by the handle of the RTP one."""
        self.present: UdpPorts | None = None
        """The newcomers'; it stays open without users."""

    def open(self, settings: GlobalConf) -> UdpPorts:
        """One more pair. Raises ListenError."""
        rtp = ListenAddress.parse(settings.rtp_address)
        rtcp = ListenAddress.parse(settings.rtcp_address)
        attempts = 1 if rtp.port or rtcp.port else PAIR_ATTEMPTS
        for attempt in range(attempts):
            first = self._bind(rtp, key="rtpAddress", others=[pair.rtp for pair in self._pairs])
            if attempts > 1:
                if first.port % 2:  # RFC 3550 11: RTP on an even port, RTCP on the next
                    self._engine.close(first.handle)
                    continue
                rtcp = ListenAddress(rtcp.host, first.port + 1)
            try:
                second = self._bind(rtcp, key="rtcpAddress", others=[pair.rtcp for pair in self._pairs])
            except ListenError:
                self._engine.close(first.handle)
                if attempt + 1 == attempts:
                    raise
            else:
                self._pairs.append(ports := UdpPorts(rtp=first, rtcp=second))
                return ports
        raise ListenError("RTSP: no two neighbouring UDP ports are free (rtpAddress, rtcpAddress)")

    def enter(self, ports: UdpPorts | None) -> None:
        """One connection more may use these."""
        if ports is not None:
            self._users[ports.rtp.handle] += 1

    def leave(self, ports: UdpPorts | None) -> None:
        """One connection less uses these; the last turns off the light, where they are of the past."""
        if ports is not None:
            self._users[ports.rtp.handle] -= 1
            self.close_unused(ports)

    def close_unused(self, ports: UdpPorts) -> None:
        if ports is self.present or self._users[ports.rtp.handle] > 0:
            return
        if ports in self._pairs:
            self._pairs.remove(ports)
            self._close(ports)
        del self._users[ports.rtp.handle]

    def close(self) -> None:
        for ports in self._pairs:
            self._close(ports)
        self._pairs.clear()

    def _bind(self, where: ListenAddress, *, key: str, others: Sequence[UdpPort]) -> UdpPort:
        """`others`: those that have its number, perhaps, and go when their sessions do."""
        beside = next((other.handle for other in others if other.port == where.port), None)

        def open_at(host: str) -> UdpPort:
            return self._engine.bind_udp(host, where.port, beside=beside)

        return bind(open_at, where, service="RTSP", key=key)

    def _close(self, ports: UdpPorts) -> None:
        self._engine.close(ports.rtp.handle)
        self._engine.close(ports.rtcp.handle)
