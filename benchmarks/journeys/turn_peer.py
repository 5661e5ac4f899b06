"""Clients to a plain peer that echoes: what forwarding a datagram costs at an even pace."""

from benchmarks.journey import Bound, Figure
from benchmarks.relay import RelayJourney, RelayLoad

__all__ = ["JOURNEYS"]

# Each packet comes alone, 50 µs after the one before, and is forwarded twice: 40,000 a second.
_PACED: dict[str, str | int] = {"towards": "peer", "sessions": 20, "rate": 1000, "size": 160}
# Pictures of 8 packets, 125 a second: 8.8 Mb/s a client.
_PICTURES: dict[str, str | int] = {"towards": "peer", "sessions": 20, "rate": 1000, "burst": 8, "size": 1100}
# 100 clients, 50,000 datagrams a second to forward (reliability F-02).
_MANY: dict[str, str | int] = {"towards": "peer", "sessions": 100, "rate": 250, "size": 160}
_WHOLE = {Figure.DELIVERED_PERCENT: Bound(least=99.9)}
_NO_SLOWER = {Figure.P50_US: Bound(most=1, times_peer=True)}

JOURNEYS = (
    RelayJourney(
        name="turn-direct",
        direct=True,
        load=RelayLoad.RELAY,
        options=_PACED | {"carry": "direct"},
        quick=True,
        targets={Figure.DELIVERED_PERCENT: Bound(least=99.9)},
    ),
    RelayJourney(
        name="turn-peer",
        floor=True,
        load=RelayLoad.RELAY,
        options=_PACED,
        quick=True,
        targets={Figure.US_PER_PACKET: Bound(most=4)} | _NO_SLOWER | _WHOLE,
    ),
    RelayJourney(
        name="turn-peer-pictures",
        floor=True,
        load=RelayLoad.RELAY,
        options=_PICTURES,
        targets={Figure.US_PER_PACKET: Bound(most=4)} | _NO_SLOWER | _WHOLE,
    ),
    RelayJourney(
        name="turn-peer-many",
        floor=True,
        load=RelayLoad.RELAY,
        options=_MANY,
        targets={
            Figure.DELIVERED_PERCENT: Bound(least=99.99),
            Figure.PACKETS_PER_CPU_MS: Bound(least=1, times_peer=True),
        },
    ),
    RelayJourney(
        name="turn-peer-send", load=RelayLoad.RELAY, options=_PACED | {"carry": "send"}, targets=_WHOLE
    ),
    RelayJourney(
        name="turn-peer-unpinned",
        floor=True,
        load=RelayLoad.RELAY,
        options=_PACED,
        pinned=False,
        targets=_WHOLE,
    ),
)
