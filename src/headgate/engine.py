"""The engine as the rest of headgate sees it: verbs down, events up.

This is the only importer of the Rust extension. `EngineLoop` joins the engine's event
queue to asyncio; everything else here is the vocabulary of the boundary.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NewType, Self, TypeAlias

from msgspec import Struct

from headgate._engine import (
    Accepted,
    AddressBudget,
    Closed,
    Connected,
    Counters,
    Engine,
    FiveTuple,
    HttpReceived,
    Malformed,
    MalformedStun,
    Nonces,
    PeerConnected,
    Received,
    RelayLatency,
    StreamTrack,
    StunAnswer,
    StunMessage,
    StunReceived,
    TurnCounters,
    UdpPort,
    left_by_players,
    left_by_relays,
)

__all__ = [
    "Accepted",
    "AddressBudget",
    "Allocate",
    "Allocation",
    "BindChannel",
    "BindRelay",
    "Challenge",
    "Channel",
    "ClientTls",
    "CloseReason",
    "Closed",
    "Codec",
    "Connect",
    "Connected",
    "Connection",
    "Counters",
    "Engine",
    "EngineLoop",
    "Event",
    "FiveTuple",
    "Flow",
    "GroupSender",
    "Handler",
    "Hear",
    "HttpReceived",
    "JoinGroup",
    "Listen",
    "ListenTurn",
    "Listener",
    "Malformed",
    "MalformedStun",
    "Nonces",
    "OpenStream",
    "PeerConnected",
    "Permit",
    "PublishTcp",
    "PublishUdp",
    "ReadTcp",
    "ReadUdp",
    "Received",
    "Refusal",
    "RelayLatency",
    "RelayTransport",
    "Remote",
    "RetuneTurn",
    "Srtp",
    "SrtpKey",
    "SrtpSuite",
    "Stream",
    "StreamTrack",
    "StunAnswer",
    "StunMessage",
    "StunReceived",
    "Tls",
    "Track",
    "TurnCounters",
    "TurnLimits",
    "TurnTransport",
    "UdpPort",
    "left_by_players",
    "left_by_relays",
]

logger = logging.getLogger(__name__)

Event: TypeAlias = (
    Accepted | Connected | Received | HttpReceived | Malformed | StunReceived | PeerConnected | Closed
)

Handler = Callable[[Event], None]
Listener = NewType("Listener", int)
Connection = NewType("Connection", int)
Stream = NewType("Stream", int)
Flow = NewType("Flow", int)
Allocation = NewType("Allocation", int)


class Codec(enum.IntEnum):
    """What the engine must know of a payload: where a unit that needs no other begins.

    The twin is `Codec` in crates/engine/src/stream/codec.rs.
    """

    OPAQUE = 0
    """Every unit stands alone (audio, and any payload the engine cannot look into)."""
    H264 = 1
    H265 = 2
    VP8 = 3
    VP9 = 4
    AV1 = 5
    OPAQUE_VIDEO = 6
    """Units of several packets, every one a possible start (JPEG, unknown video)."""

    @property
    def has_key_frames(self) -> bool:
        """Whether a reader's first packet is that of the next key frame, and not simply the next one."""
        return self not in {Codec.OPAQUE, Codec.OPAQUE_VIDEO}


class Refusal(enum.IntEnum):
    """Why a connection's bytes were not a message. The twin is `Refusal` in crates/engine/src/rtsp.rs."""

    HEAD_TOO_LARGE = 1
    BODY_TOO_LARGE = 2
    BAD_CONTENT_LENGTH = 3
    NOT_RTSP = 4
    BAD_FRAME = 5
    """Of a tunnel in WebSocket: nothing that a client may send."""
    FRAME_TOO_LARGE = 6
    """A message of more than 1 MiB, or in more than 1,024 frames."""
    BAD_BASE64 = 7
    """Of a tunnel in HTTP."""


class CloseReason(enum.IntEnum):
    """Why a connection or flow ended. The twin is `CloseReason` in crates/engine/src/event.rs."""

    REQUESTED = 1
    """`Engine.close`."""
    PEER = 2
    """The client closed or reset the connection."""
    READ_TIMEOUT = 3
    WRITE_TIMEOUT = 4
    OVERFLOW = 5
    """The client sent requests but did not take the answers."""
    TLS = 6
    """The TLS handshake or a record was bad."""
    STREAM_CLOSED = 7
    SHUTDOWN = 9
    FAULT = 10
    """A bug in the engine, which ended this session only, or a worker of it that stood still, and all that it
    had; either is logged to stderr."""
    CONNECT = 11
    """`Engine.connect`: nobody answered, or not in time. A certificate that is not believed is `TLS`."""
    JOINED = 12
    """`Engine.tunnel_http`: its socket is part of another connection from now on."""
    EXPIRED = 13
    """An allocation's lifetime was over (RFC 8656 5)."""


class SrtpSuite(enum.IntEnum):
    """How SRTP packets are encrypted and authenticated. The twin is `Suite` in crates/engine/src/srtp.rs."""

    AES_CM_128_HMAC_SHA1_80 = 1
    AES_CM_256_HMAC_SHA1_80 = 2
    AEAD_AES_128_GCM = 3
    AEAD_AES_256_GCM = 4

    @property
    def key_size(self) -> int:
        """Bytes."""
        return 16 if self in {SrtpSuite.AES_CM_128_HMAC_SHA1_80, SrtpSuite.AEAD_AES_128_GCM} else 32

    @property
    def salt_size(self) -> int:
        return 12 if self in {SrtpSuite.AEAD_AES_128_GCM, SrtpSuite.AEAD_AES_256_GCM} else 14


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtpKey:
    """A master key of one direction (RFC 3711 3.2.1). One that has sent packets is good for no other flow."""

    suite: SrtpSuite
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    mki: bytes = b""
    """What every packet that comes under it carries, 16 bytes at most. Of no effect on what is sent."""
    rollovers: Sequence[tuple[int, int]] = ()
    """(SSRC, how often its sequence number has wrapped), of packets that come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Srtp:
    """Encryption of one track, RTCP included."""

    send: SrtpKey
    receive: SrtpKey


class TurnTransport(enum.IntEnum):
    """Between a TURN client and us. The twin is `Transport` in crates/engine/src/turn/five_tuple.rs."""

    UDP = 1
    TCP = 2
    TLS = 3
    DTLS = 4


class RelayTransport(enum.IntEnum):
    """Between us and a peer, as REQUESTED-TRANSPORT numbers it (RFC 8656 18.8)."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate chain and its private key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """A TCP listener for RTSP. Sizes in bytes, times in seconds."""

    host: str
    """An IP literal; "::" takes IPv4 as well."""
    port: int
    """0: any free one."""
    tls: Tls | None = None
    head_size: int = 16 * 1024
    body_size: int = 128 * 1024
    read_timeout: float = 10.0
    """A connection that completed no message or frame for so long is closed, unless a reader or a UDP flow
    is attached to it."""
    write_timeout: float = 10.0
    """A connection whose socket took nothing for so long, though bytes waited, is closed."""
    connection_limit: int = 20_000
    beside: int | None = None
    """The listener that is to be closed next, where this one has its port at an address that overlaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """TLS of a connection that we make."""

    server_name: str
    """A host name or an IP literal: what the certificate must be for."""
    fingerprint: bytes | None = None
    """SHA-256 of the one certificate to believe; None: those of the system's authorities."""


class Connect(Struct, frozen=True, kw_only=True):
    """A TCP connection to an RTSP server. Sizes in bytes, times in seconds."""

    host: str
    """An IP literal."""
    port: int
    tls: ClientTls | None = None
    head_size: int = 16 * 1024
    body_size: int = 128 * 1024
    read_timeout: float = 10.0
    """As for `Listen`; it also bounds the time in which the connection must stand."""
    write_timeout: float = 10.0


class Track(Struct, frozen=True, kw_only=True):
    codec: Codec
    clock_rate: int


class OpenStream(Struct, frozen=True, kw_only=True):
    tracks: Sequence[Track]
    payload_size: int = 1472
    """A larger RTP packet is re-packetised (H.264, H.265) or dropped and counted (everything else)."""


class Channel(Struct, frozen=True, kw_only=True):
    """The two interleaved channels of one track (RFC 2326 10.12), 0 to 255 each."""

    track: int
    rtp: int
    rtcp: int
    srtp: Srtp | None = None
    """None: in the clear, as far as the connection is."""


class Remote(Struct, frozen=True, kw_only=True):
    """Where one track's datagrams come from or go to. A publisher's port 0: any port of the host."""

    track: int
    host: str
    rtp_port: int
    rtcp_port: int
    srtp: Srtp | None = None


class PublishTcp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    channels: Sequence[Channel]


class PublishUdp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    """The RTSP connection that set it up: the flow ends with it, and it has no read timeout of its own."""
    rtp: int
    rtcp: int
    """Handles of `bind_udp`."""
    remotes: Sequence[Remote]
    read_timeout: float = 10.0
    """The flow closes (`READ_TIMEOUT`) when no datagram came for so long."""


class ReadTcp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    channels: Sequence[Channel]
    queue_packets: int = 512
    queue_bytes: int = 4 * 1024 * 1024
    """When either limit is reached, units are discarded up to the next key frame."""


class ReadUdp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    """As for `PublishUdp`; 0: none, as a group is many clients'."""
    rtp: int
    rtcp: int
    remotes: Sequence[Remote]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinGroup:
    """Interfaces are named by an IPv4 address of theirs, everywhere."""

    host: str
    """The group, IPv4."""
    port: int
    interfaces: Sequence[str]
    """None: the one that the system's routes lead to."""
    source: str | None = None
    """Only what this host sends (RFC 4607)."""
    ttl: int
    """Of our own reports, which go out by the first interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSender:
    interface: str
    ttl: int


class Hear(Struct, frozen=True, kw_only=True):
    connection: int
    """As for `PublishUdp`."""
    host: str
    """Whose reports are counted; of several on one host, those of the first are."""
    ports: Sequence[int]
    """Of `join_group`: where reports about each track come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """Bounds of one TURN listener. Times in seconds."""

    idle_timeout: float = 30.0
    """TCP, TLS, DTLS: a connection without an allocation that completed no message for so long is closed; a
    handshake, or one message, may take no longer either."""
    connection_limit: int = 20_000
    connections_per_address: int = 1_000
    """Of one client's IP address; past either limit connections are refused, and counted."""
    requests_per_second_per_address: int = 100
    """Requests handed up from one address (IPv6: one /64) that has no allocation there; five times as
    many at once. The rest is dropped, and counted. 0: no limit."""
    compatible_channels: bool = False
    """Whether channels 0x5000 to 0x7FFF are data too (RFC 5766)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenTurn:
    """A listener for TURN clients."""

    transport: TurnTransport
    host: str
    """An IP literal; "::" takes IPv4 as well."""
    port: int
    """0: any free one."""
    tls: Tls | None = None
    """For `TLS` and `DTLS`, and only there. DTLS takes ECDSA keys of P-256 and P-384, and sends the first
    certificate alone."""
    limits: TurnLimits = TurnLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetuneTurn:
    listener: int
    tls: Tls | None = None
    """None: as it was. Handshakes from now on use it."""
    limits: TurnLimits = TurnLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The answer to a stranger's request over UDP, whoever gives it."""

    methods: Sequence[int]
    """Of requests that are answered so where they have neither integrity nor an allocation. One that is a
    bare header is Python's, as is whatever is not whole."""
    attributes: bytes
    """What is in the answer, padded, 1024 bytes at most; FINGERPRINT is added where the request has it."""
    nonce_at: int
    """Where in them the 11 characters of a new nonce go."""
    nonces: Nonces
    budget: AddressBudget
    now: float
    """By the clock of both."""


class BindRelay(Struct, frozen=True, kw_only=True):
    """A relayed address."""

    host: str
    """An IP literal; all addresses of a family only with `external_host`."""
    port: int
    """0: any free one."""
    external_host: str | None = None
    """The address peers see, where that is another (behind a NAT that keeps ports). Our own clients that
    name it as a peer are served without leaving the engine, over UDP."""
    transport: RelayTransport = RelayTransport.UDP


class Allocate(Struct, frozen=True, kw_only=True):
    five_tuple: FiveTuple
    relays: Sequence[int]
    """One or two handles of `bind_relay`, of different families; over TCP one (RFC 6062 5.1)."""
    lifetime_s: float
    bytes_per_second: int = 0
    """Application data, both directions together; a second's worth (at least 64 KiB) at once. 0: no limit."""
    movable: bool = False
    """Its client may come back for it (`move_allocation`): it outlives the client's connection."""


class Permit(Struct, frozen=True, kw_only=True):
    allocation: int
    hosts: Sequence[str]
    lifetime_s: float = 300.0
    """RFC 8656 9. 0: it ends."""
    relayed_only: bool = False
    """Nothing but relayed addresses of ours may be reached at these hosts."""


class BindChannel(Struct, frozen=True, kw_only=True):
    allocation: int
    number: int
    """0x4000 to 0x4FFF, or to 0x7FFF where the listener's limits say so."""
    peer_host: str
    peer_port: int
    lifetime_s: float = 600.0
    """RFC 8656 12. 0: it ends."""
    permission_lifetime_s: float = 300.0
    relayed_only: bool = False


class EngineLoop:
    """Owns an `Engine` and hands its events to whoever owns the handle they name.

    Enter it inside a running asyncio loop; leaving it closes everything. Handlers
    run on the loop and must not block. A handler that raises loses its own handle,
    which is closed, and nothing else.
    """

    BATCH = 256
    """Events taken a wake-up, so that a flood of them leaves the loop room for other work."""

    def __init__(self, *, workers: int, event_capacity: int = 8192) -> None:
        self.engine = Engine(workers=workers, event_capacity=event_capacity)
        self._handlers: dict[int, Handler] = {}

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self.engine.fileno(), self._drain)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self.engine.fileno())
        self.engine.shutdown()

    def attach(self, handle: int, handler: Handler) -> None:
        """Give `handler` the events of a listener, connection or flow, until its `Closed`."""
        self._handlers[handle] = handler

    def detach(self, handle: int) -> None:
        """Forget a listener's handler; connections and flows are forgotten at their `Closed`."""
        self._handlers.pop(handle, None)

    def _drain(self) -> None:
        left = self.BATCH
        # What comes meanwhile is taken too: another turn of the loop would cost more than to ask.
        while left > 0 and (events := self.engine.drain(left)):
            left -= len(events)
            for event in events:
                self._dispatch(event)
                if isinstance(event, Closed):
                    # Only now: its handler has read the final totals.
                    self.engine.forget(event.handle)

    def _dispatch(self, event: Event) -> None:
        match event:
            case Accepted():
                handle, orphan = event.listener, event.connection
                handler = self._handlers.get(handle)
            case Closed():
                handle = orphan = event.handle
                handler = self._handlers.pop(handle, None)
            case StunReceived():
                handle, orphan = event.five_tuple.listener, event.five_tuple.connection
                handler = self._handlers.get(handle)
            case PeerConnected():
                handle, orphan = event.allocation, event.connection
                handler = self._handlers.get(handle)
            case _:
                handle = orphan = event.connection
                handler = self._handlers.get(handle)
        if handler is None:
            # A connection accepted just before its listener was closed, or an event that
            # crossed with our own close: nobody will ever answer it.
            self.engine.close(orphan)
            return
        try:
            handler(event)
        except Exception:
            logger.exception("a bug while handling %s of handle %d; closing it", type(event).__name__, handle)
            self.engine.close(orphan)
