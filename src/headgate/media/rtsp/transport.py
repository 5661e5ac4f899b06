"""The Transport header (RFC 2326 12.39): what a client offers, and what it gets."""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from headgate.media.rtsp.message import ProtocolError, Status

__all__ = ["Granted", "Group", "Lower", "Mode", "Offer", "Pair", "Transport", "assign", "choose", "granted"]

ALTERNATIVE_LIMIT = 16
"""No client offers more than it has transports: three, in practice."""
SPECIFICATION = re.compile(r"RTP/(S?)AVP(?:/(TCP|UDP))?", re.IGNORECASE)
RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
CHANNELS = 256
PORTS = 65536


class Lower(enum.StrEnum):
    """What carries RTP; the value is what `/v3` shows."""

    UDP = "UDP"
    TCP = "TCP"
    MULTICAST = "UDP-multicast"

    @property
    def is_datagrams(self) -> bool:
        return self is not Lower.TCP


class Mode(enum.StrEnum):
    PLAY = "PLAY"
    RECORD = "RECORD"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ports or two interleaved channels."""

    rtp: int
    rtcp: int

    def __str__(self) -> str:
        return f"{self.rtp}-{self.rtcp}"


@dataclass(frozen=True, slots=True)
class Group:
    """Where a track is sent to for many at once."""

    host: str
    """IPv4."""
    ports: Pair
    ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One alternative of a client's header that this server can serve."""

    specification: str
    """As the client wrote it, for the answer: some compare it."""
    lower: Lower
    secured: bool = False
    """SRTP: the profile RTP/SAVP (RFC 3711 12)."""
    mode: Mode | None
    """None where the client did not say: PLAY by the RFC, RECORD in a session that was announced."""
    pair: Pair | None
    """UDP: the client's ports. TCP: the channels it wants. None: the server chooses, as with multicast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What was agreed for one track."""

    offer: Offer
    pair: Pair
    """UDP: the client's ports. TCP: the channels. Multicast: the group's ports."""
    server_ports: Pair | None = None
    group: Group | None = None
    """Multicast."""
    ssrc: int | None = None
    """Of the packets we send; None while there was none."""

    def __str__(self) -> str:
        if self.group is not None:
            group = self.group
            where = f"destination={group.host};port={group.ports};ttl={group.ttl}"
            parts = [f"{self.offer.specification};multicast;{where}"]
        elif self.offer.lower is Lower.TCP:
            parts = [f"{self.offer.specification};unicast;interleaved={self.pair}"]
        else:
            parts = [f"{self.offer.specification};unicast;client_port={self.pair}"]
            if self.server_ports is not None:
                parts.append(f"server_port={self.server_ports}")
        if self.ssrc is not None:
            parts.append(f"ssrc={self.ssrc:08X}")
        if self.offer.mode is not None:
            parts.append(f"mode={self.offer.mode.lower()}")
        return ";".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a server made of our offer for one track."""

    lower: Lower
    secured: bool
    channels: Pair | None
    """Over TCP, where the server said them."""
    server_ports: Pair | None
    """Over UDP, where the server said them."""
    source: str | None
    """Over UDP: the address that its packets come from, where the server named one that is an address."""
    group: Group | None = None
    """Over multicast, and then always."""


def granted(header: str) -> Granted:
    """Read a server's Transport. Raises ValueError."""
    specification, values = _parts(header.partition(",")[0])
    form = SPECIFICATION.fullmatch(specification)
    if form is None:
        raise ValueError(f"a transport nobody asked for: {header[:120]!r}")
    try:
        source = str(ipaddress.ip_address(values.get("source", "")))
    except ValueError:
        source = None  # a name, or nothing: then it is where we connected to
    if "multicast" in values:
        group = _group(values)
        return Granted(
            lower=Lower.MULTICAST,
            secured=bool(form[1]),
            channels=None,
            server_ports=None,
            source=source,
            group=group,
        )
    try:
        channels = _range(values["interleaved"], limit=CHANNELS) if "interleaved" in values else None
        ports = _range(values["server_port"], limit=PORTS) if "server_port" in values else None
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    return Granted(
        # Some write RTP/AVP over TCP, too.
        lower=Lower.TCP if channels is not None else Lower((form[2] or "UDP").upper()),
        secured=bool(form[1]),
        channels=channels,
        server_ports=None if ports is None or ports.rtp == 0 else ports,
        source=source,
    )


def choose(header: str, *, allowed: Collection[Lower], tls: bool = False, keyed: bool = False) -> Offer:
    """The first alternative that can be served; a client lists them in the order it prefers.

    `tls`: the connection is encrypted, and so must its datagrams be. `keyed`: the client said the key
    of its own SRTP packets there.

    Raises ProtocolError: 400 when the header is malformed, 461 when nothing in it can be served.
    """
    alternatives = header.split(",")
    if len(alternatives) > ALTERNATIVE_LIMIT:
        raise ProtocolError(Status.BAD_REQUEST, f"more than {ALTERNATIVE_LIMIT} transports")
    for alternative in alternatives:
        offer = _offer(alternative)
        if offer is None or offer.lower not in allowed:
            continue
        # Keys said in the clear are none, and datagrams in the clear would betray an encrypted connection.
        served = (tls and keyed) if offer.secured else (offer.lower is Lower.TCP or not tls)
        if served:
            return offer
    raise ProtocolError(Status.UNSUPPORTED_TRANSPORT, f"no usable transport in {header[:120]!r}")


def assign(offer: Offer, *, taken: Iterable[Pair]) -> Pair:
    """The ports or channels of one more track of a session whose other tracks have `taken`.

    Raises ProtocolError when the client wants one twice.
    """
    if offer.lower is Lower.MULTICAST:
        raise ValueError("the group says which ports")
    numbers = {number for pair in taken for number in (pair.rtp, pair.rtcp)}
    if offer.pair is None:
        # Found always: 63 other tracks cover at most 126 of the 128 even pairs.
        first = next(n for n in range(0, CHANNELS, 2) if numbers.isdisjoint({n, n + 1}))
        return Pair(first, first + 1)
    if not numbers.isdisjoint({offer.pair.rtp, offer.pair.rtcp}):
        raise ProtocolError(Status.BAD_REQUEST, f"{offer.pair} belongs to another track")
    return offer.pair


def _offer(text: str) -> Offer | None:
    """None for what this server cannot serve: another profile, multicast over TCP, odd ports."""
    specification, values = _parts(text)
    form = SPECIFICATION.fullmatch(specification)
    if form is None:
        return None
    # RFC 2326 12.39 makes multicast the default where neither is said; every client that says
    # neither means unicast.
    lower = Lower((form[2] or "UDP").upper())
    pair: Pair | None = None
    if "multicast" in values:
        if lower is Lower.TCP:
            return None
        lower = Lower.MULTICAST  # to a group of ours, whatever `destination` and `port` say
    elif lower is Lower.TCP:
        pair = _range(values["interleaved"], limit=CHANNELS) if "interleaved" in values else None
    else:
        if "client_port" not in values:
            raise ProtocolError(Status.BAD_REQUEST, "a UDP transport without client_port")
        pair = _range(values["client_port"], limit=PORTS)
        if pair.rtp == 0:
            raise ProtocolError(Status.BAD_REQUEST, "client_port is 0")
        if pair.rtp % 2 or pair.rtcp != pair.rtp + 1:  # RFC 3550 11
            return None
    return Offer(
        specification=specification,
        lower=lower,
        secured=bool(form[1]),
        mode=_mode(values.get("mode")),
        pair=pair,
    )


def _group(values: Mapping[str, str]) -> Group:
    """Raises ValueError."""
    try:
        host = ipaddress.IPv4Address(values.get("destination", ""))
    except ValueError:
        raise ValueError("a group that is no IPv4 address") from None
    if not host.is_multicast:
        raise ValueError(f"{host} is no multicast group")
    ttl = values.get("ttl", "")
    try:
        ports = _range(values.get("port", values.get("client_port", "")), limit=PORTS)
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    if ports.rtp == 0:
        raise ValueError("a group's port is 0")
    known = ttl.isascii() and ttl.isdecimal() and len(ttl) <= 3 and 0 < int(ttl) < 256
    return Group(host=str(host), ports=ports, ttl=int(ttl) if known else 1)


def _parts(text: str) -> tuple[str, dict[str, str]]:
    specification, *parameters = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in parameters)
    return specification, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _range(text: str, *, limit: int) -> Pair:
    form = RANGE.fullmatch(text)
    if form is None:
        raise ProtocolError(Status.BAD_REQUEST, f"not a range: {text[:20]!r}")
    rtp = int(form[1])
    rtcp = int(form[2]) if form[2] else rtp + 1
    if rtp >= rtcp or rtcp >= limit:
        raise ProtocolError(Status.BAD_REQUEST, f"range {text} is reversed, empty or past {limit - 1}")
    return Pair(rtp, rtcp)


def _mode(text: str | None) -> Mode | None:
    match (text or "").strip('"').lower():
        case "":
            return None
        case "play":
            return Mode.PLAY
        case "record" | "receive":  # "receive": FFmpeg before 1.0 and what was modelled on it
            return Mode.RECORD
        case other:
            raise ProtocolError(Status.BAD_REQUEST, f"unknown mode {other[:20]!r}")
