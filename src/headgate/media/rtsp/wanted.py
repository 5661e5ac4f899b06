"""The listeners and ports that a configuration asks of the RTSP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.choices import Encryption
from headgate.core.errors import ListenError
from headgate.core.service import Protocol
from headgate.engine import Listen, Tls
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
    certificate_file: str = ""
    """RTSPS only, as the next."""
    key_file: str = ""

    def arguments(self) -> Listen:
        """Raises ListenError when the certificate or its key cannot be read."""
        where = ListenAddress.parse(self.address)
        tls = None
        if self.certificate_file:
            tls = Tls(
                certificate_pem=_read(self.certificate_file, "rtspServerCert"),
                key_pem=_read(self.key_file, "rtspServerKey"),
            )
        return Listen(
            host=where.host,
            port=where.port,
            tls=tls,
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
                settings.rtsp_server_cert,
                settings.rtsp_server_key,
            )
        udp = Protocol.RTSP in listeners and Lower.UDP in transports_of(settings, Protocol.RTSP)
        return cls(listeners, (settings.rtp_address, settings.rtcp_address) if udp else None)


def transports_of(settings: GlobalConf, protocol: Protocol) -> frozenset[Lower]:
    """How clients of a service may carry RTP."""
    offered = {Lower[one.name] for one in settings.rtsp_transports}
    # RTSPS over TCP alone: datagrams in the clear beside an encrypted connection would betray it.
    return frozenset(offered & {Lower.TCP} if protocol is Protocol.RTSPS else offered)


def _read(file: str, key: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListenError(f"RTSPS: cannot read {file} ({key}): {reason}") from None
