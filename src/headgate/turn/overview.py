"""The wing as the operator's listener looks at it (`core.relay.Relay`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from headgate.core.errors import Refused
from headgate.core.registry import Registry
from headgate.core.relay import (
    RelayChannel,
    RelayCounters,
    RelayDetail,
    RelayDrain,
    RelayInterface,
    RelayLimits,
    RelayPeer,
)
from headgate.core.relay_credentials import MintRelayCredential
from headgate.core.service import Endpoint
from headgate.core.session import Session, Totals
from headgate.turn.allocation import Allocation
from headgate.turn.refusal import ErrorCode
from headgate.turn.relay import ClientTransport
from headgate.turn.server import TurnServer
from headgate.turn.session import TurnSession
from headgate.turn.stun.address import TransportAddress

__all__ = ["Overview"]


class Overview:
    """Computes everything when it is asked, but since when it drains."""

    def __init__(self, server: TurnServer, *, registry: Registry) -> None:
        self._server = server
        self._registry = registry
        self._drain: RelayDrain | None = None

    # What there is

    @property
    def realm(self) -> str:
        return self._server.machine.credentials.realm

    @property
    def interfaces(self) -> Sequence[RelayInterface]:
        return [
            RelayInterface(
                transport=one.interface.transport.name,
                bind=one.endpoint,
                external=one.external or one.endpoint,
            )
            for one in self._server.interfaces
        ]

    @property
    def ports_taken(self) -> int:
        return self._server.machine.ports_taken

    @property
    def ports_capacity(self) -> int:
        machine = self._server.machine
        return machine.ports_capacity * machine.relay_addresses

    # Sessions

    @property
    def sessions(self) -> Sequence[Session]:
        return self._server.sessions

    def of_client(self, address: Endpoint) -> Sequence[Session]:
        return self._server.clients.at(address)

    def is_at(self, session: Session, interface: Endpoint) -> bool:
        if not isinstance(session, TurnSession):
            return False
        if interface in (session.external, session.local):
            return True
        bound = self._server.bound_at(session.allocation.five_tuple.listener)
        return bound is not None and bound == interface

    def detail(self, session: Session) -> RelayDetail | None:
        if not isinstance(session, TurnSession) or not session.flowing or session.close_reason is not None:
            return None
        allocation = session.allocation
        now = self._server.now
        return RelayDetail(
            name=allocation.name,
            interface=session.external,
            transport=ClientTransport(allocation.five_tuple.transport).name,
            relayed=[_endpoint(port.relayed) for port in allocation.relays],
            lifetime=allocation.lifetime,
            expires=max(allocation.expires - now, 0.0),
            permissions=list(_permissions(allocation, now=now)),
            channels=[
                RelayChannel(number, _endpoint(channel.peer), channel.expires - now)
                for number, channel in sorted(allocation.live_channels(now).items())
            ],
            errors=allocation.errors,
        )

    @property
    def longest(self) -> float:
        last = max((allocation.expires for allocation in self._server.machine.allocations), default=0.0)
        return max(last - self._server.now, 0.0)

    # How much

    @property
    def limits(self) -> RelayLimits:
        quotas = self._server.settings.quotas
        return RelayLimits(
            allocations=quotas.allocations or None,
            allocations_per_user=quotas.allocations_per_user or None,
            bytes_per_second=quotas.bytes_per_second or None,
        )

    @property
    def usage(self) -> Mapping[str, int]:
        return self._server.machine.usage

    @property
    def counters(self) -> RelayCounters:
        machine = self._server.machine
        refusals = machine.refusals + Counter(
            {ErrorCode.UNAUTHENTICATED: self._server.engine.turn_counters().challenged}
        )
        return RelayCounters(
            refusals={int(code): count for code, count in refusals.items()},
            quota_refusals=dict(machine.quota_refusals),
            moves=dict(machine.moves),
            denied_peers=self._server.denied_peers,
            unanswered=machine.unanswered + machine.dropped,
            traffic=self._traffic(),
        )

    def _traffic(self) -> Mapping[str, Totals]:
        sums = defaultdict(Totals, self._server.traffic)
        sessions = self._server.sessions
        counters = self._server.engine.counters([session.allocation.handle for session in sessions])
        live: dict[str, list[int]] = {}
        # Four numbers of each, and nothing made for it: there may be twenty thousand.
        for session, one in zip(sessions, counters, strict=True):
            if one is not None:
                four = live.setdefault(session.transport or "", [0, 0, 0, 0])
                before = session.counted
                four[0] += one.bytes_received - before.bytes_received
                four[1] += one.bytes_sent - before.bytes_sent
                four[2] += one.packets_received - before.packets_received
                four[3] += one.packets_sent - before.packets_sent
        for transport, (received, sent, packets_received, packets_sent) in live.items():
            sums[transport] += Totals(
                bytes_received=received,
                bytes_sent=sent,
                packets_received=packets_received,
                packets_sent=packets_sent,
            )
        return sums

    # What operators do

    @property
    def draining(self) -> RelayDrain | None:
        if self._drain is None and self._registry.draining:
            self.drain()
        return self._drain

    def drain(self) -> None:
        if self._drain is None:
            self._drain = RelayDrain(since=datetime.now(UTC), sessions=len(self._server.sessions))
            self._server.drain()

    def resume(self) -> None:
        if self._registry.draining:
            raise Refused("the server is stopping")
        self._drain = None
        self._server.resume()

    @property
    def mint(self) -> MintRelayCredential:
        return self._server.mint


def _permissions(allocation: Allocation, *, now: float) -> Iterator[RelayPeer]:
    for host, permission in allocation.live_permissions(now).items():
        for port in permission.ports:
            yield RelayPeer(Endpoint(host, port), permission.expires - now)


def _endpoint(address: TransportAddress) -> Endpoint:
    return Endpoint(address.host, address.port)
