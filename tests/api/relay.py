"""A relay that has what a test puts into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headgate.core.errors import Refused
from headgate.core.relay import (
    RelayChannel,
    RelayCounters,
    RelayDetail,
    RelayDrain,
    RelayInterface,
    RelayLimits,
    RelayPeer,
)
from headgate.core.relay_credentials import RelayCredential
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import Role, Session, Totals
from tests.api.house import House, Visitor

__all__ = ["OUTSIDE", "StandIn"]

OUTSIDE = Endpoint("203.0.113.9", 3478)
BOUND = Endpoint("0.0.0.0", 3478)

LIMITS = RelayLimits(allocations=None, allocations_per_user=100, bytes_per_second=16 * 1024**2)
COUNTERS = RelayCounters(
    refusals={401: 7, 486: 2},
    quota_refusals={"allocationsPerUser": 2},
    moves={"moved": 4, "unknownTicket": 1},
    denied_peers=5,
    unanswered=3,
    traffic={"UDP": Totals(bytes_received=10, packets_sent=4)},
)


@dataclass
class StandIn:
    house: House
    realm: str = "gate"
    ports_taken: int = 0
    ports_capacity: int = 16_384
    interfaces: Sequence[RelayInterface] = (
        RelayInterface(transport="UDP", bind=BOUND, external=OUTSIDE),
        RelayInterface(transport="TLS", bind=BOUND, external=OUTSIDE),
    )
    limits: RelayLimits = LIMITS
    counters: RelayCounters = COUNTERS
    details: dict[Session, RelayDetail] = field(default_factory=dict)
    _draining: RelayDrain | None = None
    fault: Exception | None = None

    def __post_init__(self) -> None:
        self.service = self.house.add_service("TURN", Protocol.TURN, port=3478)
        object.__setattr__(self.house.view, "relay", self)

    def admit(
        self,
        address: Endpoint,
        *,
        name: str = "bob",
        user: str = "bob",
        transport: str = "UDP",
        permissions: Sequence[RelayPeer] = (),
        channels: Sequence[RelayChannel] = (),
    ) -> Visitor:
        session = self.house.visit(f"203.0.113.9:{50_000 + len(self.details)}", service=self.service)
        session.remote, session.user, session.role, session.transport = address, user, Role.RELAY, transport
        self.details[session] = RelayDetail(
            name=name,
            interface=OUTSIDE,
            transport=transport,
            relayed=[Endpoint("203.0.113.9", 50_000 + len(self.details))],
            lifetime=600,
            expires=599.9,
            permissions=permissions,
            channels=channels,
            errors=1,
        )
        return session

    @property
    def sessions(self) -> Sequence[Session]:
        return [session for session in self.details if session.close_reason is None]

    def of_client(self, address: Endpoint) -> Sequence[Session]:
        return [session for session in self.sessions if session.remote == address]

    def is_at(self, session: Session, interface: Endpoint) -> bool:
        return interface in (OUTSIDE, BOUND)

    def detail(self, session: Session) -> RelayDetail | None:
        return self.details.get(session)

    @property
    def longest(self) -> float:
        return max((self.details[session].expires for session in self.sessions), default=0.0)

    @property
    def usage(self) -> Mapping[str, int]:
        return Counter(session.user or "" for session in self.sessions)

    @property
    def draining(self) -> RelayDrain | None:
        return self._draining

    def drain(self) -> None:
        if self._draining is None:
            self._draining = RelayDrain(since=datetime.now(UTC), sessions=len(self.sessions))

    def resume(self) -> None:
        if self.house.registry.draining:
            raise Refused("the server is stopping")
        self._draining = None

    def mint(self, *, user: str, ttl: float) -> RelayCredential:
        if self.fault is not None:
            raise self.fault
        return RelayCredential(
            name=f"1:{user}", password="canary-1f", ttl=ttl, urls=("turn:a:1?transport=udp",)
        )
