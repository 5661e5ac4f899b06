"""Where clients reach the wing: listeners opened, retuned and closed as the configuration has them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.core.binding import bind
from headgate.core.certificate import Certificate, CertificateFiles
from headgate.core.config.networks import ListenAddress
from headgate.core.config.turn_conf import TurnConf, TurnInterface, TurnTransport
from headgate.core.service import Endpoint
from headgate.engine import Engine, ListenTurn, RetuneTurn, TurnLimits
from headgate.engine import TurnTransport as EngineTransport
from headgate.turn.own_listeners import EVERYWHERE
from headgate.turn.stun.address import TransportAddress

__all__ = [
    "SERVICE",
    "Opened",
    "certificate_of",
    "check",
    "discoverable",
    "files_of",
    "limits_of",
    "open_listener",
    "url_of",
]

SERVICE = "TURN"

TRANSPORTS = {
    TurnTransport.UDP: EngineTransport.UDP,
    TurnTransport.TCP: EngineTransport.TCP,
    TurnTransport.TLS: EngineTransport.TLS,
    TurnTransport.DTLS: EngineTransport.DTLS,
}
IDLE_TIMEOUT = 30.0
"""Seconds for a TCP client without an allocation, and for each of its messages."""
REQUESTS_EACH_ANSWER = 4
"""The engine's budget of an address is for everybody without an allocation; the wing's own, which is for
those without a password, is the smaller one. Whoever is let in needs some requests more.
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A listener that runs."""

    interface: TurnInterface
    handle: int
    endpoint: Endpoint
    """As it is bound."""
    certificate: Certificate | None
    """What clients are shown."""

    @property
    def place(self) -> tuple[TurnTransport, str]:
        """Two of the same are one listener."""
        return self.interface.transport, self.interface.bind

    @property
    def is_chain(self) -> bool:
        """Whether there is more than one certificate."""
        return self.certificate is not None and self.certificate.chain.count(b"-----BEGIN CERTIFICATE") > 1

    @property
    def external(self) -> Endpoint | None:
        """As clients know it, where that is said."""
        text = self.interface.external
        if not text:
            return None
        if text.count(":") != 1 and not text.startswith("["):
            return Endpoint(text, self.endpoint.port)
        where = ListenAddress.parse(text)
        return Endpoint(where.host, where.port or self.endpoint.port)

    def retune(self, engine: Engine, settings: TurnConf) -> None:
        """Have it as this says. Raises ValueError where the certificate is of no use."""
        tls = self.certificate.tls if self.certificate is not None else None
        engine.retune_turn(RetuneTurn(listener=self.handle, tls=tls, limits=limits_of(settings)))


def limits_of(settings: TurnConf) -> TurnLimits:
    return TurnLimits(
        idle_timeout=IDLE_TIMEOUT,
        requests_per_second_per_address=settings.quotas.answers_per_second * REQUESTS_EACH_ANSWER,
        compatible_channels=settings.compatible_channels,
    )


def discoverable(opened: Sequence[Opened]) -> dict[TransportAddress, int]:
    """The UDP listeners that behaviour discovery may use (RFC 5780), with their handles: those with one
    address, which clients know them by.
    """
    return {
        TransportAddress(one.endpoint.host, one.endpoint.port): one.handle
        for one in opened
        if one.interface.transport is TurnTransport.UDP
        and one.external is None
        and not ipaddress.ip_address(one.endpoint.host).is_unspecified
    }


def files_of(interface: TurnInterface) -> CertificateFiles | None:
    """Where its certificate is; None: it has none."""
    if not interface.transport.is_encrypted:
        return None
    place = f"turn.interfaces, {interface.bind} {interface.transport}"
    return CertificateFiles(
        service=f"{SERVICE} {interface.bind} {interface.transport}",
        chain=interface.cert,
        key=interface.key,
        chain_name=f"cert of {place}",
        key_name=f"key of {place}",
    )


def certificate_of(interface: TurnInterface) -> Certificate | None:
    """Raises ListenError."""
    files = files_of(interface)
    return files.read() if files is not None else None


def url_of(interface: TurnInterface) -> str:
    """How a client names it; empty where the configuration does not say how it is reached."""
    where = ListenAddress.parse(interface.bind)
    host, port = where.host, where.port
    if interface.external:
        text = interface.external
        if text.count(":") != 1 and not text.startswith("["):
            host = text
        else:
            outside = ListenAddress.parse(text)
            host, port = outside.host, outside.port or port
    if host in EVERYWHERE or not port:
        return ""
    scheme = "turns" if interface.transport.is_encrypted else "turn"
    stream = "udp" if interface.transport in {TurnTransport.UDP, TurnTransport.DTLS} else "tcp"
    return f"{scheme}:{f'[{host}]' if ':' in host else host}:{port}?transport={stream}"


def check(engine: Engine, interface: TurnInterface, certificate: Certificate | None) -> None:
    """Raises ListenError where the certificate is of no use there."""
    files = files_of(interface)
    if files is None or certificate is None:
        return
    try:
        engine.check_turn_tls(TRANSPORTS[interface.transport], certificate.tls)
    except ValueError as error:
        raise files.refused(error) from None


def open_listener(engine: Engine, interface: TurnInterface, settings: TurnConf) -> Opened:
    """Raises ListenError."""
    where = ListenAddress.parse(interface.bind)
    certificate = certificate_of(interface)
    check(engine, interface, certificate)

    def listen(host: str) -> Opened:
        port = engine.listen_turn(
            ListenTurn(
                transport=TRANSPORTS[interface.transport],
                host=host,
                port=where.port,
                tls=certificate.tls if certificate is not None else None,
                limits=limits_of(settings),
            )
        )
        return Opened(interface, port.handle, Endpoint(port.host, port.port), certificate)

    mistake = f"TURN: cannot listen on {interface.bind} {interface.transport} (turn.interfaces)"
    return bind(listen, where.host, mistake=mistake)
