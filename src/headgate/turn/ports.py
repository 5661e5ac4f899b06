"""Relay ports: which are taken, which is next, and the one behind an even one that waits (RFC 8656 7.2)."""

from __future__ import annotations

import enum
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headgate.core.descriptors import is_shortage
from headgate.turn.quotas import Holder
from headgate.turn.relay import Relay, RelayAddress, RelayPort, RelayTransport

__all__ = ["Exhausted", "RelayPorts", "Reservation"]

RESERVED = 30.0
"""Seconds that a reserved port waits (RFC 8656 7.2: at least 30)."""
MOST_RESERVATIONS = 1024
PORTS = 1 << 16
GUESSES = 32
"""Random tries before the next free port behind a random one is taken: only a nearly full pool needs that."""
BIND_ATTEMPTS = 128
"""Ports that others on this machine hold, one after the other, until the pool counts as full. A pair is found
with 99.99 % even where they hold three quarters; who asks in vain costs a millisecond."""
TOKEN_SIZE = 8


class Exhausted(Exception):
    """No port is left, or no descriptor for it."""


class _Wanted(enum.Enum):
    ANY = enum.auto()
    EVEN = enum.auto()
    PAIR = enum.auto()
    """An even one, the next free as well."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A port behind an even one, bound and kept for whoever has the token."""

    token: bytes
    port: RelayPort
    holder: Holder
    """Who asked for it, and has it counted."""
    expires: float


def _below(limit: int) -> int:
    """One draw, where `secrets.randbelow` draws until it fits. Of a port's limit no number is preferred by
    more than 1 in 2^48.
    """
    return int.from_bytes(os.urandom(8)) % limit


class RelayPorts:
    """Chosen by the system's CSPRNG: who sees one must not know the next (CVE-2025-69217)."""

    def __init__(self, relay: Relay, ports: range, *, random: Callable[[int], int] = _below) -> None:
        self._relay = relay
        self._random = random
        self.ports = ports
        """May be exchanged: those taken stay taken."""
        self._taken: dict[tuple[str, RelayTransport], bytearray] = {}
        """A byte for each port there is, 1 where it is taken: found at the speed of memory."""
        self._external: dict[str, str] = {}
        self._reservations: dict[bytes, Reservation] = {}

    @property
    def taken(self) -> int:
        """Ports that are bound now, reserved ones too."""
        return sum(taken.count(1) for taken in self._taken.values())

    @property
    def addresses(self) -> int:
        """Addresses that were bound so far."""
        return len({host for host, _ in self._taken})

    def has(self, host: str, port: int, *, transport: RelayTransport) -> bool:
        """Whether it is one of our relayed addresses now, by the address we bind or the one peers see."""
        return any(
            taken[port]
            for (bound, kind), taken in self._taken.items()
            if kind is transport and (bound == host or self._external.get(bound) == host)
        )

    def bind(
        self, address: RelayAddress, *, transport: RelayTransport = RelayTransport.UDP, even: bool = False
    ) -> RelayPort:
        """Any free port, or any free even one. Raises Exhausted."""
        taken = self._of(address, transport)
        if not even:
            # Nearly always the first that is drawn is free.
            port = self.ports[self._random(len(self.ports))]
            if not taken[port] and (bound := self._bind(address, port, transport, taken)) is not None:
                return bound
        for port in self._free(taken, _Wanted.EVEN if even else _Wanted.ANY):
            bound = self._bind(address, port, transport, taken)
            if bound is not None:
                return bound
        raise Exhausted

    def bind_pair(
        self, address: RelayAddress, holder: Holder, *, now: float
    ) -> tuple[RelayPort, Reservation]:
        """An even port, and the next one reserved (EVEN-PORT with R). Raises Exhausted."""
        if len(self._reservations) >= MOST_RESERVATIONS:
            raise Exhausted
        transport = RelayTransport.UDP
        taken = self._of(address, transport)
        for port in self._free(taken, _Wanted.PAIR):
            first = self._bind(address, port, transport, taken)
            if first is None:
                continue
            second = None
            try:
                second = self._bind(address, port + 1, transport, taken)
            finally:
                if second is None:
                    self.release(first)
            if second is None:
                continue
            reservation = Reservation(secrets.token_bytes(TOKEN_SIZE), second, holder, now + RESERVED)
            self._reservations[reservation.token] = reservation
            return first, reservation
        raise Exhausted

    def reservation(self, token: bytes) -> Reservation | None:
        return self._reservations.get(token)

    def take(self, token: bytes) -> Reservation | None:
        """What was reserved under this token; its port is the caller's from now on."""
        return self._reservations.pop(token, None)

    def release(self, port: RelayPort) -> None:
        """Of no allocation: unbind it."""
        self.forget(port)
        self._relay.release(port.handle)

    def forget(self, port: RelayPort) -> None:
        """It went with its allocation."""
        self._taken[port.address.host, port.transport][port.port] = 0

    def deadline(self) -> float | None:
        # Asked with every request, and nearly always there is none.
        return min(one.expires for one in self._reservations.values()) if self._reservations else None

    def expire(self, now: float) -> list[Reservation]:
        """Those that nobody came for; their ports are free again."""
        gone = [one for one in self._reservations.values() if one.expires <= now]
        for reservation in gone:
            del self._reservations[reservation.token]
            self.release(reservation.port)
        return gone

    def _of(self, address: RelayAddress, transport: RelayTransport) -> bytearray:
        self._external[address.host] = address.external
        taken = self._taken.get((address.host, transport))
        if taken is None:
            taken = self._taken[address.host, transport] = bytearray(PORTS)
        return taken

    def _bind(
        self, address: RelayAddress, port: int, transport: RelayTransport, taken: bytearray
    ) -> RelayPort | None:
        """None: another has it. Raises Exhausted: there is no descriptor, and no other port has one."""
        try:
            handle = self._relay.bind(address, port, transport=transport)
        except OSError as error:
            if is_shortage(error):
                raise Exhausted from None
            return None
        taken[port] = 1
        return RelayPort(handle, address, port, transport)

    def _free(self, taken: bytearray, wanted: _Wanted) -> Iterator[int]:
        """Each once, in no order, and as many as are tried. Whoever has one stops."""
        first, stop = self.ports.start, self.ports.stop
        if wanted is _Wanted.ANY:
            step, busy = 1, taken[first:stop]
        else:
            first += first % 2
            step, busy = 2, taken[first:stop:2]
        if wanted is _Wanted.PAIR:
            next_ones = taken[first + 1 : stop : 2]
            del busy[len(next_ones) :]
            either = int.from_bytes(busy) | int.from_bytes(next_ones)
            busy = bytearray(either.to_bytes(len(busy)))
        for _ in range(BIND_ATTEMPTS):
            place = self._draw(busy)
            if place < 0:
                return
            busy[place] = 1
            yield first + step * place

    def _draw(self, busy: bytearray) -> int:
        """Where one is 0; -1: none is."""
        size = len(busy)
        if not size:
            return -1
        for _ in range(GUESSES):
            place = self._random(size)
            if not busy[place]:
                return place
        place = busy.find(0, self._random(size))
        return place if place >= 0 else busy.find(0)
