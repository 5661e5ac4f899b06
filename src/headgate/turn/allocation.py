"""An allocation as Python knows it (RFC 8656 5): whose, for how long, and what it may send where."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from headgate.turn.relay import FiveTuple, RelayPort, RelayTransport
from headgate.turn.stun.address import Family, TransportAddress

__all__ = ["CHANNEL_LIFETIME", "CHANNEL_REST", "PERMISSION_LIFETIME", "Allocation", "Channel", "Permission"]

PERMISSION_LIFETIME = 300.0  # seconds, RFC 8656 9
CHANNEL_LIFETIME = 600.0  # RFC 8656 12
CHANNEL_REST = 300.0
"""Seconds after its end in which a channel can only be bound to the same peer again (RFC 8656 12)."""
MOST_PORTS = 16  # of one peer, remembered for those who look
MOST_DENIED = (
    16  # a browser's candidates name a few; who scans a network is not told of for each of its hosts
)


class Permission(NamedTuple):
    expires: float
    ports: tuple[int, ...]
    """Those that the client named with it. They mean nothing to RFC 8656, and seed 000 shows them."""


class Channel(NamedTuple):
    peer: TransportAddress
    expires: float


class Allocation(Struct, eq=False):
    """Times are monotonic. Its owner is the machine; others look."""

    handle: int
    five_tuple: FiveTuple
    name: str
    """USERNAME as the client gives it."""
    user: str
    """Whom quotas count for."""
    address: str
    """The client's IP that quotas count for."""
    relays: tuple[RelayPort, ...]
    transport: RelayTransport
    lifetime: float
    expires: float
    transaction: bytes
    """Of the Allocate that made it: the same again is a retransmission."""
    token: bytes = b""
    """RESERVATION-TOKEN that it was answered with."""
    ticket: bytes = b""
    """MOBILITY-TICKET that it can be moved with; empty: not at all."""
    former_ticket: bytes = b""
    """With which it came to where it is: the same again from there is a retransmission."""
    address_error: bytes = b""
    """ADDRESS-ERROR-CODE that it was answered with."""
    credential_expires: float | None = None
    """Unix time."""
    permissions: dict[str, Permission] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    errors: int = 0
    """Its client's requests that were answered with an error."""
    denied: set[str] = field(default_factory=set)
    """Hosts that were refused it, the first `MOST_DENIED`: each is told of once."""
    connections: dict[int, TransportAddress] = field(default_factory=dict)
    """RFC 6062: peers' connections, by the engine's handle, which is CONNECTION-ID."""

    @property
    def relayed(self) -> TransportAddress:
        """The first of its relayed addresses."""
        return self.relays[0].relayed

    def has_family(self, family: Family) -> bool:
        return any(port.address.family is family for port in self.relays)

    def live_permissions(self, now: float) -> dict[str, Permission]:
        """Those in force; the others are forgotten."""
        self.permissions = {host: one for host, one in self.permissions.items() if one.expires > now}
        return self.permissions

    def live_channels(self, now: float) -> dict[int, Channel]:
        return {number: one for number, one in self.channels.items() if one.expires > now}

    def is_news(self, host: str) -> bool:
        """Whether that it may not reach this host has not been told yet."""
        if host in self.denied or len(self.denied) >= MOST_DENIED:
            return False
        self.denied.add(host)
        return True

    def permit(self, peer: TransportAddress, *, now: float) -> None:
        former = self.permissions.get(peer.host)
        ports = former.ports if former is not None and former.expires > now else ()
        if peer.port not in ports:
            ports = (*ports, peer.port)[-MOST_PORTS:]
        self.permissions[peer.host] = Permission(now + PERMISSION_LIFETIME, ports)
