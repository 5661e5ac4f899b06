"""The relay as those who look at it and operate it see it. The TURN wing fills these shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headgate.core.relay_credentials import MintRelayCredential
from headgate.core.service import Endpoint
from headgate.core.session import Session, Totals

__all__ = [
    "Relay",
    "RelayChannel",
    "RelayCounters",
    "RelayDetail",
    "RelayDrain",
    "RelayInterface",
    "RelayLimits",
    "RelayPeer",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayInterface:
    transport: str
    """Between it and clients: "UDP", "TCP", "TLS", "DTLS"."""
    bind: Endpoint
    external: Endpoint
    """As clients outside know it; `bind` where the configuration does not say."""


@dataclass(frozen=True, slots=True)
class RelayPeer:
    """A peer that a client named when it asked for a permission, which is for the whole address."""

    address: Endpoint
    expires: float
    """Seconds from now."""


@dataclass(frozen=True, slots=True)
class RelayChannel:
    number: int
    peer: Endpoint
    expires: float
    """Seconds from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDetail:
    """What one allocation holds now."""

    name: str
    """As the client gave it: of a time-limited credential, with its expiry."""
    interface: Endpoint
    """Ours, as clients outside know it."""
    transport: str
    relayed: Sequence[Endpoint]
    """One, or one of each family."""
    lifetime: float
    """Seconds, as granted last."""
    expires: float
    """Seconds from now."""
    permissions: Sequence[RelayPeer]
    channels: Sequence[RelayChannel]
    errors: int
    """Requests of its client that were answered with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLimits:
    """None: no limit."""

    allocations: int | None
    allocations_per_user: int | None
    bytes_per_second: int | None
    """Of one allocation, both ways together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDrain:
    since: datetime
    sessions: int
    """Those that there were then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayCounters:
    """Since the start."""

    refusals: Mapping[int, int]
    """Requests answered with an error, by its code."""
    quota_refusals: Mapping[str, int]
    """Those of them that are a quota's doing, by its key in the configuration."""
    moves: Mapping[str, int]
    """Clients that came with a ticket to take their allocation along: "moved", or why they have not."""
    denied_peers: int
    """Requests refused because of who the peer was."""
    unanswered: int
    """Requests of strangers past their address's budget, and what was no request."""
    traffic: Mapping[str, Totals]
    """The client's side of every allocation there ever was, by transport."""


class Relay(Protocol):
    """There is one where the wing is built, whether or not it listens."""

    @property
    def realm(self) -> str: ...

    @property
    def interfaces(self) -> Sequence[RelayInterface]: ...

    @property
    def ports_taken(self) -> int: ...

    @property
    def ports_capacity(self) -> int:
        """Of all addresses that are relayed from."""

    @property
    def sessions(self) -> Sequence[Session]:
        """One for each allocation, oldest first."""

    def of_client(self, address: Endpoint) -> Sequence[Session]:
        """Those of the client at this address and port, whichever interface it uses."""

    def is_at(self, session: Session, interface: Endpoint) -> bool:
        """Whether its client reaches us there, by the address it is bound to or the one known outside."""

    def detail(self, session: Session) -> RelayDetail | None:
        """None: it is gone, or no relay's."""

    @property
    def longest(self) -> float:
        """Seconds until the last allocation runs out, if none is refreshed; 0 without one."""

    @property
    def limits(self) -> RelayLimits: ...

    @property
    def usage(self) -> Mapping[str, int]:
        """Allocations by user, as the quotas count them."""

    @property
    def counters(self) -> RelayCounters: ...

    @property
    def draining(self) -> RelayDrain | None:
        """None: it takes whoever may come."""

    def drain(self) -> None:
        """No new allocations; those that live may be refreshed. Twice is once."""

    def resume(self) -> None:
        """Take new ones again. Raises Refused when the whole server is stopping."""

    @property
    def mint(self) -> MintRelayCredential: ...
