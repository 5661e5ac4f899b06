"""The listeners and ports that a configuration asks of the RTSP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from headgate.core.certificate import Certificate, CertificateFiles
from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.choices import Encryption
from headgate.core.service import Protocol
from headgate.engine import Listen
from headgate.media.rtsp.transport import Lower

__all__ = ["KEYS", "Wanted", "WantedListener", "transports_of"]

KEYS = (
    "rtsp",
    "rtspTransports",
    "rtspEncryption",
    "rtspAddress",
    "rtspsAddress",
    "rtpAddress",
    "rtcpAddress",
    "multicastIPRange",
    "multicastRTPPort",
    "multicastRTCPPort",
    "rtspServerKey",
    "rtspServerCert",
    "readTimeout",
    "writeTimeout",
    "writeQueueSize",
)
"""What the RTSP server follows while it runs; time-outs and queue for connections that come after."""


@dataclass(frozen=True, slots=True)
class WantedListener:
    """Two that are equal need one listener."""

    service: str
    key: str
    """Where its address is configured."""
    address: str
    read_timeout: float
    write_timeout: float
    certificate: CertificateFiles | None = None
    """RTSPS only."""

    @property
    def where(self) -> ListenAddress:
        return ListenAddress.parse(self.address)

    def read(self) -> Certificate | None:
        """What its files have now; waits for the disk. Raises ListenError."""
        return self.certificate.read() if self.certificate is not None else None

    def arguments(self, certificate: Certificate | None) -> Listen:
        where = self.where
        return Listen(
            host=where.host,
            port=where.port,
            tls=certificate.tls if certificate is not None else None,
            read_timeout=self.read_timeout,
            write_timeout=self.write_timeout,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    listeners: Mapping[Protocol, WantedListener]
    udp: tuple[str, str] | None
    """The addresses of RTP and RTCP."""

    @classmethod
    def of(cls, settings: GlobalConf) -> Self:
        listeners: dict[Protocol, WantedListener] = {}
        if not settings.rtsp:
            return cls(listeners, None)
        times = (settings.read_timeout, settings.write_timeout)
        if settings.rtsp_encryption is not Encryption.STRICT:
            listeners[Protocol.RTSP] = WantedListener("RTSP", "rtspAddress", settings.rtsp_address, *times)
        if settings.rtsp_encryption is not Encryption.NO:
            listeners[Protocol.RTSPS] = WantedListener(
                "RTSPS",
                "rtspsAddress",
                settings.rtsps_address,
                *times,
                CertificateFiles(
                    service="RTSPS",
                    chain=settings.rtsp_server_cert,
                    key=settings.rtsp_server_key,
                    chain_name="rtspServerCert",
                    key_name="rtspServerKey",
                ),
            )
        udp = bool(listeners) and Lower.UDP in transports_of(settings, Protocol.RTSP)
        return cls(listeners, (settings.rtp_address, settings.rtcp_address) if udp else None)


def transports_of(settings: GlobalConf, protocol: Protocol) -> frozenset[Lower]:
    """How clients of a service may carry RTP: those of RTSP, and as SRTP those of RTSPS."""
    offered = {Lower[one.name] for one in settings.rtsp_transports}
    # A group's keys would be everybody's, and in the clear beside TLS its packets would betray it.
    return frozenset(offered - {Lower.MULTICAST} if protocol is Protocol.RTSPS else offered)
