"""What the wing needs from whoever moves the bytes: the engine, or its twin in tests."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from headgate.core.enumeration import plain_members
from headgate.turn.stun.address import Family, TransportAddress, family_of

__all__ = [
    "ClientTransport",
    "FiveTuple",
    "Relay",
    "RelayAddress",
    "RelayPort",
    "RelayTransport",
]


@plain_members
class ClientTransport(enum.IntEnum):
    """Between client and server. The twin is `TurnTransport` in headgate/engine/turn.py."""

    UDP = 1
    TCP = 2
    TLS = 3
    DTLS = 4

    @property
    def is_stream(self) -> bool:
        return self in {ClientTransport.TCP, ClientTransport.TLS}


@plain_members
class RelayTransport(enum.IntEnum):
    """Between server and peers, as REQUESTED-TRANSPORT numbers it (RFC 8656 18.8)."""

    TCP = 6
    UDP = 17


class FiveTuple(Hashable, Protocol):
    """Client, server and transport (RFC 8656 2). The engine makes it; two of the same are equal."""

    @property
    def transport(self) -> int: ...
    @property
    def listener(self) -> int: ...
    @property
    def connection(self) -> int: ...
    @property
    def client_host(self) -> str: ...
    @property
    def client_port(self) -> int: ...
    @property
    def client(self) -> bytes:
        """What a nonce is bound to."""

    @property
    def server_host(self) -> str: ...
    @property
    def server_port(self) -> int: ...


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """Where relay ports are bound."""

    host: str
    external: str
    """What peers and clients see instead; the same where there is no NAT."""

    @property
    def family(self) -> Family:
        return family_of(self.host)


class RelayPort(Struct, frozen=True, gc=False):
    """A bound relayed address."""

    handle: int
    address: RelayAddress
    port: int
    transport: RelayTransport

    @property
    def relayed(self) -> TransportAddress:
        """As clients are told."""
        return TransportAddress(self.address.external, self.port)


class Relay(Protocol):
    """Verbs do what they say at once; that an allocation has ended comes back as an event to its owner."""

    def bind(self, address: RelayAddress, port: int, *, transport: RelayTransport) -> int:
        """The handle. Raises OSError: try another port, unless `core.descriptors.is_shortage`."""

    def release(self, handle: int) -> None:
        """Unbind one that no allocation has."""

    def allocate(
        self, five_tuple: FiveTuple, relays: Sequence[int], *, lifetime: float, rate: int, movable: bool
    ) -> int:
        """The allocation's handle. `rate` in bytes a second, 0: any. `movable`: it outlives its client's
        connection (RFC 8016). Raises OSError.
        """

    def refresh(self, allocation: int, *, lifetime: float) -> None: ...

    def close(self, allocation: int) -> None:
        """End an allocation with its relayed addresses."""

    def release_one(self, allocation: int, port: RelayPort) -> None:
        """Let go of one of an allocation's two relayed addresses."""

    def hang_up(self, connection: int) -> None:
        """Close a peer's connection (RFC 6062)."""

    def permit(self, allocation: int, hosts: Sequence[str], *, lifetime: float, relayed_only: bool) -> None:
        """`relayed_only`: at these hosts nothing but our own relayed addresses may be reached. A lifetime of
        0 ends permissions.
        """

    def bind_channel(
        self,
        allocation: int,
        number: int,
        peer: TransportAddress,
        *,
        lifetime: float,
        permission_lifetime: float,
        relayed_only: bool,
    ) -> None:
        """As `permit`, for both lifetimes."""

    def move(self, allocation: int, *, before: FiveTuple, five_tuple: FiveTuple) -> None:
        """It belongs to this five-tuple from now on (RFC 8016). Raises FileExistsError: that has another."""

    def connect(self, allocation: int, peer: TransportAddress) -> int:
        """Begin a connection from the relayed address to the peer (RFC 6062); its handle. Raises OSError."""
