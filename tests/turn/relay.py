"""The engine's twin: binds ports, holds allocations and keeps what it was told, all in memory."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from headgate.turn.relay import FiveTuple, RelayAddress, RelayPort, RelayTransport
from headgate.turn.stun.address import TransportAddress

__all__ = ["Link", "RelayTwin", "TwinAllocation"]


@dataclass(frozen=True)
class Link:
    """A five-tuple."""

    client_host: str = "198.51.100.7"
    client_port: int = 40_000
    server_host: str = "192.0.2.1"
    server_port: int = 3478
    transport: int = 1
    connection: int = 0
    listener: int = 1

    @property
    def client(self) -> bytes:
        return f"{self.transport} {self.client_port} {self.client_host}".encode()


@dataclass
class TwinAllocation:
    five_tuple: FiveTuple
    relays: list[int]
    lifetime: float
    rate: int
    movable: bool
    permissions: dict[str, bool] = field(default_factory=dict)
    """By host: whether only relayed addresses are meant."""
    channels: dict[int, TransportAddress] = field(default_factory=dict)


class RelayTwin:
    def __init__(self, *, held_by_others: Sequence[int] = ()) -> None:
        self._handles = itertools.count(1)
        self._held = set(held_by_others)
        self.bound: dict[int, tuple[str, int, RelayTransport]] = {}
        self.allocations: dict[int, TwinAllocation] = {}
        self.dialled: dict[int, TransportAddress] = {}
        self.refuses = False
        self.descriptors = 1 << 20
        """As many may be bound, and connections made."""
        self.tries = 0

    def bind(self, address: RelayAddress, port: int, *, transport: RelayTransport) -> int:
        self.tries += 1
        if len(self.bound) >= self.descriptors:
            raise OSError(errno.EMFILE, "no descriptors")
        place = (address.host, port, transport)
        if port in self._held or place in self.bound.values():
            raise OSError(errno.EADDRINUSE, "taken")
        handle = next(self._handles)
        self.bound[handle] = place
        return handle

    def release(self, handle: int) -> None:
        del self.bound[handle]

    def allocate(
        self, five_tuple: FiveTuple, relays: Sequence[int], *, lifetime: float, rate: int, movable: bool
    ) -> int:
        if self.refuses:
            raise OSError(errno.EMFILE, "no descriptors")
        handle = next(self._handles)
        self.allocations[handle] = TwinAllocation(five_tuple, list(relays), lifetime, rate, movable)
        return handle

    def refresh(self, allocation: int, *, lifetime: float) -> None:
        self.allocations[allocation].lifetime = lifetime

    def close(self, allocation: int) -> None:
        for relay in self.allocations.pop(allocation).relays:
            self.bound.pop(relay, None)

    def release_one(self, allocation: int, port: RelayPort) -> None:
        self.allocations[allocation].relays.remove(port.handle)
        self.release(port.handle)

    def hang_up(self, connection: int) -> None:
        del self.dialled[connection]

    def permit(self, allocation: int, hosts: Sequence[str], *, lifetime: float, relayed_only: bool) -> None:
        permissions = self.allocations[allocation].permissions
        permissions.update(dict.fromkeys(hosts, relayed_only))
        for host in () if lifetime else hosts:
            del permissions[host]

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
        self.permit(allocation, [peer.host], lifetime=permission_lifetime, relayed_only=relayed_only)
        self.allocations[allocation].channels[number] = peer
        if not lifetime:
            del self.allocations[allocation].channels[number]

    def move(self, allocation: int, *, before: FiveTuple, five_tuple: FiveTuple) -> None:
        assert self.allocations[allocation].five_tuple == before
        if any(each.five_tuple == five_tuple for each in self.allocations.values()):
            raise FileExistsError(errno.EEXIST, "taken")
        self.allocations[allocation].five_tuple = five_tuple

    def connect(self, allocation: int, peer: TransportAddress) -> int:
        if len(self.bound) + len(self.dialled) >= self.descriptors:
            raise OSError(errno.EMFILE, "no descriptors")
        handle = next(self._handles)
        self.dialled[handle] = peer
        return handle
