"""What is measured: a load, for how long, and what its figures should be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

__all__ = ["Bound", "Figure", "Journey", "Measured", "Transport"]


class Transport(StrEnum):
    """How a reader's media travels. Publishers always use TCP."""

    TCP = "tcp"
    UDP = "udp"


class Figure(StrEnum):
    """A number every run of a journey yields, unless the journey has no such thing."""

    CPU_S_PER_GB = "CPU-s/GB"
    """Server CPU seconds for 10^9 bytes of RTP: delivered, or taken in where nobody reads."""
    US_PER_PACKET = "µs/packet"
    CORE_PERCENT = "core %"
    """Server CPU time as a share of one core."""
    P50_MS = "p50 ms"
    """From when a picture was due at the publisher until a packet of it was read.

    Rooms: from when a message was due until it was read; from connecting to Self; from Hello to Welcome;
    from going until all others have heard Left.
    """
    P99_MS = "p99 ms"
    KB_PER_READER = "kB/reader"
    """Growth of the server's resident memory from before the readers, for each."""
    LOST = "lost"
    """Packets missing in the readers' sequences, from their first packet on."""
    CLOSED = "refused"
    """Readers that could not join, or were closed before the end; of rooms also those told an Error."""
    DELIVERED_PERCENT = "delivered %"
    """Packets read, of those published times the readers that joined and read.

    Relayed: parcels that came back from the peer, or reached the other client. Rooms: messages heard,
    of those said times the people who must hear them.
    """
    PACKETS_PER_CPU_MS = "packets/CPU-ms"
    """Datagrams a relay forwarded in a millisecond of CPU time: thousands in a CPU second."""
    US_PER_ALLOCATION = "µs/allocation"
    """Server CPU time of a 401 and an Allocate together."""
    ALLOCATIONS_PER_S = "allocations/s"
    P50_US = "p50 µs"
    """One way: from when a parcel was due at its sender until it arrived. Allocations: until it stands."""
    P99_US = "p99 µs"
    LATE_US = "load late µs"
    """Median of how late the load itself sent, which the latencies include."""
    FAILED = "failed"
    """Allocations refused or not answered; connections or joins likewise."""
    KIB_PER_ALLOCATION = "KiB/allocation"
    """Slope of the server's resident memory over allocations that carry nothing."""
    FDS_PER_ALLOCATION = "fds/allocation"
    GROWTH_KIB = "growth KiB"
    """Resident memory after a flood less that before it."""
    ANSWERED_PERCENT = "answered %"
    """Questions of a flood that were answered."""
    SERVED_PERCENT = "served %"
    """A rightful client's allocations that succeeded during a flood."""
    KB_PER_SOCKET = "kB/socket"
    """Slope of the server's resident memory over connections that say nothing."""
    US_PER_JOIN = "µs/join"
    JOINS_PER_S = "joins/s"
    DELIVERED_PER_S = "delivered/s"
    """Messages heard in a second, by however many people each."""
    US_PER_DELIVERY = "µs/delivery"
    WAITED_PERCENT = "waited %"
    """Share of the time in which the server could have run and somebody else did, on its CPU."""
    CHANGES = "changes"
    """Clients that went and came back."""
    GHOSTS = "ghosts"
    """Who is shown to others, or counted by the server, and is not there."""
    UNTOLD = "untold"
    """Left and Joined documents too few or too many, people missing in others' lists, changes without end."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The target of one figure. At least one side is given."""

    most: float | None = None
    least: float | None = None
    times_peer: bool = False
    """The sides are multiples of what the peer had in the same run. Without a peer nothing is missed."""

    def holds(self, value: float, *, peer: float | None = None) -> bool:
        if self.times_peer:
            if not peer:
                return True
            value /= peer
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        if self.most == 0:
            return "= 0"
        sides = [(self.least, "≥"), (self.most, "≤")]
        unit = " times the peer" if self.times_peer else ""
        return ", ".join(f"{sign} {side:g}{unit}" for side, sign in sides if side is not None)


class Measured(Protocol):
    """What every kind of journey has, whatever its load."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str:
        """Journeys of one family yield the same figures, and share a table."""

    @property
    def pinned(self) -> bool:
        """The server has one CPU for itself, the load the others. False: the scheduler decides."""

    @property
    def quick(self) -> bool:
        """Part of the short run."""

    @property
    def targets(self) -> "Mapping[Figure, Bound]": ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One load on one freshly started server.

    Every publisher sends 4 Mb/s of 30 pictures a second, a key picture each second.
    """

    name: str
    readers: int
    transport: Transport = Transport.TCP
    publishers: int = 1
    stalled: int = 0
    """Of the readers, those that stop reading once they have joined."""
    pinned: bool = True
    """The server has one CPU for itself, the load the others. False: the scheduler decides."""
    least_seconds: float = 0.0
    """The shortest measurement that shows what the journey is about."""
    quick: bool = False
    """Part of the short run."""
    targets: Mapping[Figure, Bound] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return "media"
