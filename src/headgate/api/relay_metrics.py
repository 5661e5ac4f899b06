"""The relay in Prometheus's words. No label names a user, a client or a peer: they are without number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from headgate.api.exposition import Family, Kind, labels
from headgate.core.relay import Relay, RelayCounters
from headgate.core.session import Totals
from headgate.engine import Engine, TurnCounters

__all__ = ["relay_families"]

TRAFFIC: Sequence[tuple[str, str, Callable[[Totals], int]]] = (
    ("bytes_received", "Bytes from clients, STUN included.", lambda t: t.bytes_received),
    ("bytes_sent", "Bytes to clients, STUN included.", lambda t: t.bytes_sent),
    ("packets_received", "Datagrams (of TCP, messages) from clients.", lambda t: t.packets_received),
    ("packets_sent", "Datagrams (of TCP, messages) to clients.", lambda t: t.packets_sent),
)
RELAYED: Sequence[tuple[str, str, Callable[[TurnCounters], int]]] = (
    ("relayed_packets", "Datagrams passed on, both ways.", lambda c: c.packets_relayed),
    ("relayed_bytes", "Their application data.", lambda c: c.bytes_relayed),
    ("short_cut_packets", "Of them, passed between two of our own clients.", lambda c: c.packets_short_cut),
    ("requests", "Requests that were looked at.", lambda c: c.requests + c.challenged),
    (
        "requests_over_budget",
        "Requests dropped: their sender asks too much.",
        lambda c: c.requests_over_budget,
    ),
)
DROPPED: Sequence[tuple[str, Callable[[TurnCounters], int]]] = (
    ("malformed", lambda c: c.malformed),
    ("looped", lambda c: c.requests_looped),
    ("no_allocation", lambda c: c.no_allocation),
    ("no_channel", lambda c: c.no_channel),
    ("no_permission", lambda c: c.no_permission),
    ("denied", lambda c: c.denied),
    ("over_rate", lambda c: c.over_rate),
    ("queue_full", lambda c: c.queue_full),
)


def relay_families(relay: Relay | None, engine: Engine) -> Iterator[Family]:
    if relay is None:
        return
    decided = relay.counters
    yield from _sessions(relay, decided)
    yield from _decisions(decided)
    counters = engine.turn_counters()
    for name, meaning, value in RELAYED:
        family = Family(f"headgate_turn_{name}_total", Kind.COUNTER, meaning)
        family.add(value(counters))
        yield family
    dropped = Family("headgate_turn_dropped_total", Kind.COUNTER, "What was not passed on, by the reason.")
    for reason, value in DROPPED:
        dropped.add(value(counters), labels({"reason": reason}))
    yield dropped


def _sessions(relay: Relay, counters: RelayCounters) -> Iterator[Family]:
    count = Family("headgate_turn_allocations", Kind.GAUGE, "Allocations now, by their client's transport.")
    by_transport = Counter(session.transport or "" for session in relay.sessions)
    for transport in sorted({one.transport for one in relay.interfaces} | by_transport.keys()):
        count.add(by_transport[transport], labels({"transport": transport.lower()}))
    yield count
    for name, meaning, value in TRAFFIC:
        family = Family(f"headgate_turn_client_{name}_total", Kind.COUNTER, meaning)
        for transport, totals in sorted(counters.traffic.items()):
            family.add(value(totals), labels({"transport": transport.lower()}))
        yield family
    taken = Family("headgate_turn_ports_taken", Kind.GAUGE, "Relay ports bound now.")
    taken.add(relay.ports_taken)
    yield taken
    capacity = Family("headgate_turn_ports_capacity", Kind.GAUGE, "Relay ports that there are.")
    capacity.add(relay.ports_capacity)
    yield capacity
    draining = Family("headgate_turn_draining", Kind.GAUGE, "1 while it takes no new allocations.")
    draining.add(int(relay.draining is not None))
    yield draining


def _decisions(counters: RelayCounters) -> Iterator[Family]:
    refused = Family(
        "headgate_turn_requests_refused_total",
        Kind.COUNTER,
        "Requests answered with an error, by its code; every client's first is a 401.",
    )
    for code, count in sorted(counters.refusals.items()):
        refused.add(count, labels({"code": str(code)}))
    yield refused
    quotas = Family("headgate_turn_quota_refusals_total", Kind.COUNTER, "Requests that a quota refused.")
    for quota, count in sorted(counters.quota_refusals.items()):
        quotas.add(count, labels({"quota": quota}))
    yield quotas
    moves = Family(
        "headgate_turn_moves_total",
        Kind.COUNTER,
        "Clients that came with a mobility ticket, by what became of their allocation.",
    )
    for outcome, count in sorted(counters.moves.items()):
        moves.add(count, labels({"result": outcome}))
    yield moves
    denied = Family("headgate_turn_denied_peers_total", Kind.COUNTER, "Requests for a peer nobody may reach.")
    denied.add(counters.denied_peers)
    yield denied
    unanswered = Family(
        "headgate_turn_unanswered_total",
        Kind.COUNTER,
        "Messages not answered: a stranger's budget was spent, or there was nothing to answer.",
    )
    unanswered.add(counters.unanswered)
    yield unanswered
