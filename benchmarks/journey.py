"""What is measured: a load, for how long, and what its figures should be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Bound", "Figure", "Journey", "Transport"]


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
    """From when a picture was due at the publisher until a packet of it was read."""
    P99_MS = "p99 ms"
    KB_PER_READER = "kB/reader"
    """Growth of the server's resident memory from before the readers, for each."""
    LOST = "lost"
    """Packets missing in the readers' sequences, from their first packet on."""
    CLOSED = "refused"
    """Readers that could not join, or were closed before the end."""
    DELIVERED_PERCENT = "delivered %"
    """Packets read, of those published times the readers that joined and read."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The target of one figure. At least one side is given."""

    most: float | None = None
    least: float | None = None

    def holds(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        if self.most == 0:
            return "= 0"
        sides = [(self.least, "≥"), (self.most, "≤")]
        return ", ".join(f"{sign} {side:g}" for side, sign in sides if side is not None)


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
