"""What every decision looks at: settings, who has what, and the doors to the outside."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headgate.core.config.turn_conf import TurnConf
from headgate.turn.allocation import Allocation
from headgate.turn.credentials import Credentials
from headgate.turn.events import PeerDenied, TurnEvent
from headgate.turn.nonce import Nonces
from headgate.turn.own_listeners import OwnListeners
from headgate.turn.peers import PeerPolicy
from headgate.turn.ports import RelayPorts, Reservation
from headgate.turn.quotas import Holder, Quotas
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import FiveTuple, Relay, RelayAddress, RelayPort, RelayTransport
from headgate.turn.request import Request
from headgate.turn.stun.address import Family, TransportAddress, family_of, read_address
from headgate.turn.stun.message import Malformed

__all__ = ["Wing"]


@dataclass(slots=True, kw_only=True)
class Wing:
    settings: TurnConf
    credentials: Credentials
    nonces: Nonces
    ports: RelayPorts
    quotas: Quotas
    policy: PeerPolicy
    relay: Relay
    wall: Callable[[], float]
    """Unix time."""
    listeners: tuple[TransportAddress, ...] = ()
    """Where UDP clients reach us, for RFC 5780."""
    externals: Mapping[str, str] = field(default_factory=dict)
    """By an address of ours: what it is called outside, where relay addresses are not configured."""
    own_listeners: OwnListeners = field(default_factory=lambda: OwnListeners(list))
    draining: bool = False
    events: list[TurnEvent] = field(default_factory=list)
    relays: Mapping[Family, RelayAddress] = field(default_factory=dict)
    """The configured ones, where there are any: the first of each family."""
    by_five_tuple: dict[FiveTuple, Allocation] = field(default_factory=dict)
    by_handle: dict[int, Allocation] = field(default_factory=dict)
    by_ticket: dict[bytes, Allocation] = field(default_factory=dict)
    moves: Counter[str] = field(default_factory=Counter)
    """What became of tickets (`ticket.Outcome`), since the start."""
    alternates: itertools.count[int] = field(default_factory=itertools.count)

    def has_family(self, five_tuple: FiveTuple, family: Family) -> bool:
        """Whether an allocation of this family can be had."""
        if self.relays:
            return family in self.relays
        return family_of(five_tuple.server_host) is family

    def relay_address(self, five_tuple: FiveTuple, family: Family) -> RelayAddress:
        """Where an allocation of this family is bound. Raises Refusal (440)."""
        configured = self.relays.get(family)
        if configured is not None:
            return configured
        if self.relays:
            raise Refusal(ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED)
        host = five_tuple.server_host
        if family_of(host) is not family:
            raise Refusal(ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED)
        external = self.external(host)
        address = RelayAddress(host, external if family_of(external) is family else host)
        self.policy.add_relay(address.host)
        self.policy.add_relay(address.external)
        return address

    def external(self, host: str) -> str:
        """What an address of ours is called outside."""
        return self.externals.get(host) or self.externals.get("") or host

    def peer(self, value: bytes, request: Request, allocation: Allocation) -> TransportAddress:
        """An XOR-PEER-ADDRESS that this allocation may reach. Raises Refusal."""
        try:
            peer = read_address(value, request.message.transaction)
        except Malformed as error:
            raise Refusal(ErrorCode.BAD_REQUEST, str(error)) from None
        if not allocation.has_family(family_of(peer.host)):
            raise Refusal(ErrorCode.ADDRESS_FAMILY_MISMATCH)  # RFC 8656 10.2, 12.2
        self.policy.add_own(request.five_tuple.server_host)
        if not self.policy.allows(peer.host) and not self.is_relayed_only(peer.host):
            self.events.append(PeerDenied(allocation, peer))
            raise Refusal(ErrorCode.FORBIDDEN)
        return peer

    def is_relayed_only(self, host: str) -> bool:
        """Whether nothing but our own relayed addresses may be reached there (S-48, turn.md 4)."""
        return self.policy.allows_relayed(host)

    def is_relayed(self, peer: TransportAddress, *, transport: RelayTransport) -> bool:
        """Whether it is one of our relayed addresses, and may be reached as such."""
        return self.is_relayed_only(peer.host) and self.ports.has(peer.host, peer.port, transport=transport)

    def is_beside_relayed(self, peer: TransportAddress, *, transport: RelayTransport) -> bool:
        """Whether it is something else, where only our own relayed addresses may be reached."""
        return self.is_relayed_only(peer.host) and not self.is_relayed(peer, transport=transport)

    def reserve(self, address: RelayAddress, holder: Holder, *, now: float) -> tuple[RelayPort, Reservation]:
        """An even port, and the next for whoever comes with the token. Raises Exhausted."""
        first, reservation = self.ports.bind_pair(address, holder, now=now)
        self.quotas.reserve(holder)
        return first, reservation

    def take_reserved(self, token: bytes) -> RelayPort | None:
        """The port that waits under this token, if one does."""
        reservation = self.ports.take(token)
        if reservation is None:
            return None
        self.quotas.unreserve(reservation.holder)
        return reservation.port

    def expire(self, now: float) -> None:
        """Let go of reserved ports that nobody came for."""
        for reservation in self.ports.expire(now):
            self.quotas.unreserve(reservation.holder)

    def add(self, allocation: Allocation) -> None:
        self.by_five_tuple[allocation.five_tuple] = allocation
        self.by_handle[allocation.handle] = allocation
        if allocation.ticket:
            self.by_ticket[allocation.ticket] = allocation
        self.quotas.add(allocation)

    def remove(self, allocation: Allocation) -> bool:
        """Of every table, with its ports and its place in the quotas; False: it was removed before."""
        if self.by_handle.pop(allocation.handle, None) is None:
            return False
        if self.by_five_tuple.get(allocation.five_tuple) is allocation:
            del self.by_five_tuple[allocation.five_tuple]
        if allocation.ticket:
            self.by_ticket.pop(allocation.ticket, None)
        for port in allocation.relays:
            self.ports.forget(port)
        self.quotas.remove(allocation)
        return True
