"""The Rust engine: the contract between Python's decisions and Rust's bytes.

Only `headgate.engine` imports this module. Every handle is a positive int that
is never used twice in one process. Verbs may be called from any thread; those
that name a handle which is already gone do nothing (its `Closed` is on the way
or was delivered). Failure now is an exception, failure later is an event.
"""

from collections.abc import Sequence
from typing import Final, Self, final

from headgate.engine import (
    Allocate,
    BindChannel,
    BindRelay,
    Challenge,
    Connect,
    GroupSender,
    Hear,
    JoinGroup,
    Listen,
    ListenTurn,
    OpenStream,
    Permit,
    PublishTcp,
    PublishUdp,
    ReadTcp,
    ReadUdp,
    RetuneTurn,
    Tls,
)

__all__ = [
    "Accepted",
    "AddressBudget",
    "Closed",
    "Connected",
    "Counters",
    "Engine",
    "FiveTuple",
    "HttpReceived",
    "Malformed",
    "MalformedStun",
    "Nonces",
    "PeerConnected",
    "Received",
    "RelayLatency",
    "StreamTrack",
    "StunAnswer",
    "StunMessage",
    "StunReceived",
    "TurnCounters",
    "UdpPort",
    "left_by_players",
    "left_by_relays",
]

def left_by_players(limit: int) -> int:
    """How many of so many descriptors connections to our listeners leave: the operator's, and our own."""

def left_by_relays(limit: int) -> int:
    """How many TURN's clients and their peers leave: players have a share besides."""

@final
class Accepted:
    """A client connected to `listener`; answer with `send` or `close`."""

    listener: Final[int]
    connection: Final[int]
    remote_host: Final[str]
    remote_port: Final[int]
    local_host: Final[str]
    local_port: Final[int]

@final
class Connected:
    """A connection made with `connect` stands, TLS included; now `send` reaches the server.

    A failure is its `Closed`: `CONNECT`, or `TLS` when the certificate is not to be believed.
    """

    connection: Final[int]
    remote_host: Final[str]
    remote_port: Final[int]
    local_host: Final[str]
    local_port: Final[int]

@final
class Received:
    """One whole RTSP message (head, blank line, body) from a connection."""

    connection: Final[int]
    message: Final[bytes]

@final
class HttpReceived:
    """The first thing a client said is an HTTP/1 request; this is its head, with the blank line.

    Nothing behind it is taken, nor looked at, until `tunnel_websocket` or `tunnel_http` says what
    becomes of the connection. Until then it is silent: `read_timeout` closes it.
    """

    connection: Final[int]
    head: Final[bytes]

@final
class Malformed:
    """The connection's bytes cannot be an RTSP message. Nothing more is read from it.

    `refusal` is one of the values of `headgate.engine.Refusal`. Whoever owns the
    connection answers with the protocol's own error and closes it.
    """

    connection: Final[int]
    refusal: Final[int]

@final
class Closed:
    """The last event of a connection or flow, sent exactly once for each.

    `reason` is one of the values of `headgate.engine.CloseReason`, `counters` the
    final totals. A connection's interleaved flow closes before the connection itself,
    its UDP flows right after.
    """

    handle: Final[int]
    reason: Final[int]
    counters: Final[Counters]

@final
class FiveTuple:
    """Who talks to us over what (RFC 8656 2): made by the engine only, hashable, given back to its verbs."""

    transport: Final[int]
    """One of the values of `headgate.engine.TurnTransport`."""
    listener: Final[int]
    connection: Final[int]
    """TCP, TLS, DTLS: the client's connection, for `close`; 0 for UDP."""
    client_host: Final[str]
    """An IPv4-mapped address is given as IPv4, here and below."""
    client_port: Final[int]
    client: Final[bytes]
    """Transport, port and address: what a nonce is bound to."""
    server_host: Final[str]
    """The address the client reached us at, also where the listener is bound to all of them."""
    server_port: Final[int]

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class StunReceived:
    """One STUN request of a TURN client; answer with `Engine.answer`.

    It is whole, and its FINGERPRINT holds where it has one. Responses and indications never come up.
    """

    five_tuple: Final[FiveTuple]
    allocation: Final[int]
    """The five-tuple's allocation; 0: none."""
    message: Final[StunMessage]

class MalformedStun(ValueError):
    """The bytes are no STUN message, or an attribute has not the form its type says."""

@final
class StunMessage:
    """A STUN message (RFC 8489 5 and 14). What an attribute means is read by who needs it."""

    data: Final[bytes]
    method: Final[int]
    message_class: Final[int]
    transaction: Final[bytes]
    attributes: Final[dict[int, bytes]]
    """The first value of each type up to the first integrity attribute; what stands after it was not
    protected, and is not there."""
    peers: Final[list[bytes]]
    """Every XOR-PEER-ADDRESS: CreatePermission may have many (RFC 8656 10). They are not in `attributes`."""
    unknown: Final[list[int]]
    """Types that must be understood and are not, those of RFC 5780 among them."""
    integrity_at: Final[int]
    """Where MESSAGE-INTEGRITY begins; 0: there is none. So for the two others."""
    integrity_sha256_at: Final[int]
    fingerprint_at: Final[int]
    is_protected: Final[bool]
    """Whether it carries an integrity attribute; that says nothing about whether it holds."""
    def __new__(cls, data: bytes, /) -> StunMessage:
        """Raises MalformedStun, whatever the bytes. At most 127 attributes are read."""

    def holds(self, key: bytes, /) -> bool:
        """Whether its integrity was made with this key (RFC 8489 14.5); of two the SHA-256 one decides."""

    def fingerprint_holds(self) -> bool:
        """True where there is none."""

@final
class StunAnswer:
    """A message under construction: attributes in the order in which they are added, `finish` once.

    Padding is zero. Raises ValueError when an attribute does not fit any more, RuntimeError when finished.
    """

    def __new__(cls, method: int, message_class: int, transaction: bytes, /) -> StunAnswer: ...
    def add(self, attribute: int, value: bytes, /) -> Self: ...
    def add_number(self, attribute: int, value: int, /) -> Self:
        """One of 32 bits: LIFETIME, CONNECTION-ID."""

    def add_error(self, code: int, reason: bytes | None = None, /) -> Self:
        """RFC 8489 14.8. A reason costs bytes that a stranger could have sent to somebody else."""

    def add_xor_address(self, attribute: int, host: str, port: int, /) -> Self:
        """RFC 8489 14.2. Raises ValueError where the host is no IP literal."""

    def finish(self, *, key: bytes | None = None, integrity: int = 20, fingerprint: bool = False) -> bytes:
        """`key`: protect it, with so many bytes of `integrity`: 20 (SHA-1) or 32 (SHA-256);
        `fingerprint`: with FINGERPRINT.
        """

@final
class Nonces:
    """The part of a NONCE that only we can make and know again; nothing is kept of it.

    `now` is in seconds of a clock that never goes back; `client` is whom it is for, in any form that is
    always the same. Keys are the system's randomness, and change by themselves.
    """

    def __new__(cls, *, lifetime: float, key_lifetime: float, now: float) -> Nonces:
        """Seconds, `lifetime` below 65,536. Raises OSError without randomness."""

    def make(self, client: bytes, *, now: float) -> bytes:
        """11 characters of base64."""

    def holds(self, nonce: bytes, client: bytes, *, now: float) -> bool:
        """Whether it was made here, for this client, not longer ago than its lifetime. Whatever the bytes."""

@final
class AddressBudget:
    """How much of something an address gets (IPv6: a /64), in a table whose size no flood changes.

    Five seconds' worth may come at once. Times are as for `Nonces`.
    """

    per_second: int
    """0: no limit. May be exchanged."""
    def __new__(cls, *, per_second: int) -> AddressBudget: ...
    @property
    def refused(self) -> int: ...
    def admits(self, host: str, *, now: float) -> bool:
        """Take one from the address's budget; False: it is empty. ValueError: not an IP literal."""

@final
class PeerConnected:
    """A connection between a TCP allocation and a peer stands (RFC 6062), and has a `Closed` of its own.

    One that `incoming` says the peer made has come from an address with a permission; others are closed
    at once. Until it is joined nothing is read from it; after 30 s without that it ends (`READ_TIMEOUT`).
    """

    allocation: Final[int]
    connection: Final[int]
    peer_host: Final[str]
    peer_port: Final[int]
    incoming: Final[bool]

@final
class TurnCounters:
    """Totals of everything TURN since the engine started. Each `…dropped` datagram is in one field only."""

    malformed: Final[int]
    """Neither STUN nor ChannelData, or broken; RFC 3489's messages without a cookie; responses; Send
    indications that lack something, or have something that must be understood and is not."""
    requests: Final[int]
    """Handed up as `StunReceived`."""
    challenged: Final[int]
    """Answered with the `challenge`, or not at all for want of budget; they are not in `requests`."""
    requests_over_budget: Final[int]
    requests_looped: Final[int]
    """Sent by one of our own listeners or relayed addresses."""
    no_allocation: Final[int]
    """Data of clients that have no allocation."""
    no_channel: Final[int]
    no_permission: Final[int]
    """From peers, in Send indications, and of what ICMP says of a peer."""
    denied: Final[int]
    """For one of our own listeners, for port 0, or for a family that the allocation has no relay of."""
    over_rate: Final[int]
    """Above the allocation's `bytes_per_second`; and of what ICMP says, above ten a second."""
    queue_full: Final[int]
    """A queue or socket took no more: `event_capacity`, a slow TCP client's, a socket's, a worker's."""
    packets_relayed: Final[int]
    """Datagrams passed on, both directions; through the short cut too, once."""
    bytes_relayed: Final[int]
    """Their application data."""
    packets_short_cut: Final[int]
    """Passed between two of our own allocations without a system call."""

@final
class Counters:
    """Totals of one connection, flow or stream since it was opened.

    A connection counts only `bytes_*` (on the wire, TLS records included),
    `frames_refused`, and `queued_bytes` (what the kernel has not taken yet).
    For flows and streams `bytes_*` are RTP and RTCP packets without transport
    framing. A stream's totals stay when its readers leave. An allocation counts `bytes_*` and
    `packets_*` of its client's side: whole datagrams (or messages of a stream), STUN included;
    `packets_in_error` broken ones, `packets_discarded` those that a limit dropped or a full queue.
    """

    bytes_received: Final[int]
    bytes_sent: Final[int]
    packets_received: Final[int]
    packets_sent: Final[int]
    packets_lost: Final[int]
    """Publisher: gaps in the sequence (RFC 3550 A.3). Reader: what its receiver reports say."""
    packets_in_error: Final[int]
    """Publisher: no RTP, too large, or not under the SRTP key (a repetition included)."""
    packets_discarded: Final[int]
    """Reader: packets not sent because the reader was too slow."""
    rtcp_packets_received: Final[int]
    rtcp_packets_sent: Final[int]
    rtcp_packets_in_error: Final[int]
    jitter_ticks: Final[int]
    """Publisher: RFC 3550 A.8 estimate in RTP timestamp units, the largest of its tracks."""
    jitter_s: Final[float]
    """The same in seconds."""
    queued_packets: Final[int]
    queued_bytes: Final[int]
    frames_refused: Final[int]
    """Connection: interleaved frames on channels nobody set up."""
    idle_s: Final[float]
    """Seconds since bytes last arrived: of a connection; of a publisher any packet; of a reader RTCP."""

@final
class RelayLatency:
    """How long units of RTP were on their way through the engine, once for each reader they were sent to.

    From the turn of the loop in which a unit's first packet was read until the last of it was given to
    the kernel (or, over TLS, to be encrypted); times are read every 16 sends. Seconds.
    """

    bounds: Final[list[float]]
    counts: Final[list[int]]
    """Not above each bound and above the one before; one more for what is above them all."""
    sum: Final[float]

@final
class StreamTrack:
    """What a track sends now, for RTSP's RTP-Info. `None` fields: no packet yet."""

    ssrc: Final[int | None]
    sequence: Final[int | None]
    """The next packet's sequence number."""
    timestamp: Final[int | None]
    """RTP timestamp of the newest unit."""

@final
class UdpPort:
    """A bound UDP socket. Closed by `Engine.close`."""

    handle: Final[int]
    host: Final[str]
    port: Final[int]

@final
class Engine:
    def __new__(cls, *, workers: int, event_capacity: int) -> Engine:
        """Start `workers` threads (1 to 64).

        At most about `event_capacity` messages wait in the queue: past it new
        connections are refused, and counted. `Closed` events are always queued.
        """

    def fileno(self) -> int:
        """An eventfd, readable from the first event on until `drain` finds none. Valid until `shutdown`."""

    def drain(
        self, limit: int
    ) -> list[
        Accepted | Connected | Received | HttpReceived | Malformed | StunReceived | PeerConnected | Closed
    ]:
        """Take at most `limit` events, oldest first. The eventfd stays readable until this finds none."""

    def refused_connections(self) -> int:
        """Connections refused so far, because of a limit or for want of descriptors."""

    def workers_restarted(self) -> int:
        """Workers that stood still for 2 s so far, and were replaced: what they had ended with `FAULT`."""

    def listen(self, listen: Listen) -> tuple[int, int]:
        """Bind and listen. Returns the handle and the bound port.

        Raises OSError (with errno) when the address cannot be bound, ValueError
        when the address is not an IP literal, the TLS certificate and key do
        not parse or do not belong together, or `beside` is no open listener.
        """

    def retune(self, listener: int, listen: Listen) -> None:
        """Serve those who connect from now on as `listen` says; its address and `beside` are not looked at.

        Who is connected, a handshake included, goes on as it began, and counts towards the new limit; so
        may one who connects in this very moment, as the listener's thread has yet to hear of it.
        Raises ValueError as `listen`, and then nothing is changed.
        """

    def check_tls(self, tls: Tls) -> None:
        """Raises ValueError as `listen`: so that `retune` with the same cannot fail."""

    def connect(self, connect: Connect) -> int:
        """Begin a connection to a server; `Connected` or `Closed` follows. Returns the handle.

        From then on it is like one that was accepted. Raises OSError when it cannot even be tried,
        ValueError when host or server name are none, or the system has no certificate authorities.
        """

    def bind_udp(self, host: str, port: int, *, beside: int | None = None) -> UdpPort:
        """Bind a UDP socket for RTP or RTCP. Raises OSError, ValueError as `listen`.

        `beside`: a port with the same number at an address that overlaps, which is to be closed some time.
        Flows of both get what comes to either of them, and no two of all of these have a remote address.
        """

    def join_group(self, join: JoinGroup) -> UdpPort:
        """Bind a UDP socket that hears one multicast group, and join it.

        Raises OSError where no interface can, ValueError when an address is no IPv4 literal.
        """

    def group_sender(self, sender: GroupSender) -> UdpPort:
        """Bind a UDP socket for readers that are multicast groups. Raises as `join_group`."""

    def hear(self, hear: Hear) -> int:
        """Count the RTCP of whoever hears a group. Returns a flow, which moves nothing.

        Raises ValueError when a port is none of `join_group`.
        """

    def send(self, connection: int, data: bytes) -> None:
        """Queue protocol bytes behind everything already queued for the connection.

        A client that lets more than 1 MiB of answers pile up is closed (`OVERFLOW`).
        """

    def tunnel_websocket(self, connection: int) -> None:
        """After `HttpReceived`: from here on the connection's RTSP is inside of binary WebSocket messages.

        Queue the handshake's answer with `send` before. Everything sent is a message of its own, a unit
        one; what comes may be cut anywhere. Pings are answered, and whoever closes says so (RFC 6455 5.5).
        """

    def tunnel_http(self, *, get: int, post: int) -> None:
        """After `HttpReceived` of both: what the client of `get` says is the body of `post`, in base64.

        `post` ends (`JOINED`), and its socket is part of `get` as long as that lasts, or until another
        `post` takes its place. Where `get` is gone it is closed.
        """

    def close(self, handle: int) -> None:
        """Close a listener, UDP port, relayed address, connection, flow, stream or allocation.

        A connection first sends what is queued, for one second at most. A
        listener leaves its connections and allocations alone, but one of TURN over UDP or DTLS ends its
        allocations (`REQUESTED`), as nothing reaches them any more; a stream closes all its flows
        (`STREAM_CLOSED`) and sends no `Closed` itself.
        """

    def open_stream(self, stream: OpenStream) -> int:
        """Make a stream. Raises ValueError when a track's clock rate is 0 or there are over 64 tracks."""

    def publish_tcp(self, publish: PublishTcp) -> int:
        """Feed the stream from a connection's interleaved channels. Returns the flow.

        A flow on a track that another has fed takes it over: nothing more of the other is sent on,
        and readers go on with the first key frame, in sequence.

        Raises ValueError when a channel names no track of the stream, or a channel
        twice, or an SRTP key is not of its suite's size. A connection has one flow at a
        time: a second one closes the first.
        """

    def publish_udp(self, publish: PublishUdp) -> int:
        """Feed the stream from datagrams of the given remote addresses. Returns the flow.

        Raises ValueError as `publish_tcp`; OSError(EADDRINUSE) when another flow has a remote address;
        ValueError for an address nothing can be sent to (port 0 of a reader, unspecified, multicast,
        link-local without a scope). On ports of `join_group` the unspecified address is anybody, and
        receiver reports go to the group.
        """

    def read_tcp(self, read: ReadTcp) -> int:
        """Attach a reader to a connection's interleaved channels, paused. Returns the flow."""

    def read_udp(self, read: ReadUdp) -> int:
        """Attach a reader that gets datagrams, paused. Returns the flow.

        On ports of `group_sender` its remotes are groups, and nothing else. Raises as `publish_udp`.
        """

    def play(self, flow: int) -> None:
        """Start or resume a reader, each video track at its next key frame.

        One over UDP that plays already is sent the clock again: for those who come late to a group.

        Queue what must reach the client first (the answer to PLAY) with `send` before.
        """

    def pause(self, flow: int) -> None:
        """Stop a reader's packets, or ignore a publisher's, until `play`."""

    def listen_turn(self, listen: ListenTurn) -> UdpPort:
        """Listen for TURN clients, over UDP with a socket for each worker. Raises as `listen`."""

    def check_turn_tls(self, transport: int, tls: Tls) -> None:
        """Raises ValueError as `listen_turn`: so that `retune_turn` with the same cannot fail.

        Over DTLS keys are ECDSA, of P-256 or P-384.
        """

    def retune_turn(self, retune: RetuneTurn) -> None:
        """Change a listener's limits and certificate; what stands stays. ValueError: no such listener,
        or the certificate is no good."""

    def challenge(self, challenge: Challenge) -> None:
        """Answer by this from now on those over UDP who have no allocation and do not say who they are.

        ValueError: the attributes are none, too long, or have no room for a nonce.
        """

    def answer(self, five_tuple: FiveTuple, message: bytes) -> None:
        """Send a STUN response or indication to the client, behind everything the verbs before it did.

        Dropped when the connection is gone; a client that leaves 1 MiB of answers is closed.
        """

    def answer_from(self, listener: int, five_tuple: FiveTuple, port: int, message: bytes) -> None:
        """Answer a client over UDP from another listener, at this port of its own (RFC 5780 7.2, 7.4).

        ValueError: the listener has not one address of the client's family.
        """

    def bind_relay(self, bind: BindRelay) -> UdpPort:
        """Bind a relayed address. Nothing is read from it until it is given to `allocate`.

        It is ours until `close`, or until the allocation it was given to is. Raises OSError (EADDRINUSE:
        try another port; EMFILE: its descriptor would be one of those that are left), ValueError as `listen`.
        """

    def allocate(self, allocate: Allocate) -> int:
        """Make an allocation; its `Closed` says when it ended (`EXPIRED`: its lifetime was over).

        It ends with its client's connection, if it has one; the connection does not end with it.
        Raises OSError(EEXIST) when the five-tuple has one, ValueError when a relay is not bound, given
        away, or the second of its family.
        """

    def refresh_allocation(self, allocation: int, lifetime_s: float) -> None:
        """Let it live for so long from now on. To end it now is `close`."""

    def release_relay(self, allocation: int, host: str) -> None:
        """Of an allocation's two relayed addresses let go of the one of this host's family.

        ValueError: not an IP literal.
        """

    def permit(self, permit: Permit) -> None:
        """Install or refresh permissions (RFC 8656 9). ValueError: not an IP literal."""

    def bind_channel(self, bind: BindChannel) -> None:
        """Bind or refresh a channel, and its peer's permission (RFC 8656 12).

        The caller has seen to it that neither number nor peer is bound otherwise. ValueError: the number
        is outside 0x4000 to 0x7FFF, or nothing can be sent to the peer.
        """

    def move_allocation(self, allocation: int, *, before: FiveTuple, five_tuple: FiveTuple) -> None:
        """It belongs to this five-tuple from now on, over whatever transport (RFC 8016); `before` to that.

        Permissions, channels and connections with peers stay. Raises OSError(EEXIST) when the five-tuple
        has an allocation. Nothing happens when `before` has not this one any more.
        """

    def connect_peer(self, allocation: int, host: str, port: int) -> int:
        """Connect from a TCP allocation's relayed address to a peer (RFC 6062 5.2). Returns the connection.

        `PeerConnected` follows, or `Closed` (`CONNECT`: refused, no answer in 30 s, the allocation has 256
        connections or relays no TCP). Whether the peer may be reached is the caller's to know. Raises
        ValueError for an address nothing can be sent to, PermissionError for one of our TURN listeners,
        OSError(EMFILE) as `bind_relay`.
        """

    def join(self, five_tuple: FiveTuple, connection: int, answer: bytes) -> None:
        """Answer the client, and let its connection carry the peer's bytes from then on (RFC 6062 5.4).

        When either ends, so does the other, with one `Closed`: `connection`'s. If the peer's is gone
        already, the client's is closed without the answer. `five_tuple` has no allocation, and is TCP or TLS.
        """

    def turn_counters(self) -> TurnCounters:
        """Totals of everything TURN."""

    def tracks(self, stream: int) -> list[StreamTrack]:
        """The state of every track, in the stream's order; empty when the stream is gone."""

    def counters(self, handles: Sequence[int]) -> list[Counters | None]:
        """The totals of many handles in one call; `None` for those forgotten or never known."""

    def relay_latency(self) -> RelayLatency:
        """Since the start, of all streams and readers."""

    def forget(self, handle: int) -> None:
        """Drop the counters of a closed connection or flow; they stay readable until then."""

    def shutdown(self) -> None:
        """Close everything and join the threads. Later calls of other verbs raise RuntimeError."""
