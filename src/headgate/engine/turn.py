"""TURN: its listeners, and allocations with what they may do."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from headgate._engine import AddressBudget, FiveTuple, Nonces
from headgate.engine.tls import Tls

__all__ = [
    "Allocate",
    "BindChannel",
    "BindRelay",
    "Challenge",
    "ListenTurn",
    "Permit",
    "RelayTransport",
    "RetuneTurn",
    "TurnLimits",
    "TurnTransport",
]


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
