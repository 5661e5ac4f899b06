from __future__ import annotations

import httpx

from headgate.core.service import Endpoint
from tests.api.house import House
from tests.api.relay import StandIn
from tests.api.test_metrics import scrape


async def test_the_relay(house: House, operator: httpx.AsyncClient) -> None:
    relay = StandIn(house)
    relay.admit(Endpoint("192.0.2.7", 1), user="canary")
    relay.admit(Endpoint("192.0.2.7", 2), user="canary", transport="TCP")
    relay.ports_taken = 2

    families = await scrape(operator)

    def values(name: str, label: str) -> dict[str, float]:
        return {sample.labels[label]: sample.value for sample in families[name].samples}

    assert values("headgate_turn_allocations", "transport") == {"udp": 1, "tcp": 1, "tls": 0}
    assert values("headgate_turn_client_bytes_received", "transport") == {"udp": 10}
    assert values("headgate_turn_client_packets_sent", "transport") == {"udp": 4}
    assert values("headgate_turn_requests_refused", "code") == {"401": 7, "486": 2}
    assert values("headgate_turn_quota_refusals", "quota") == {"allocationsPerUser": 2}
    assert values("headgate_turn_moves", "result") == {"moved": 4, "unknownTicket": 1}
    assert families["headgate_turn_denied_peers"].samples[0].value == 5
    assert families["headgate_turn_unanswered"].samples[0].value == 3
    assert families["headgate_turn_ports_taken"].samples[0].value == 2
    assert families["headgate_turn_ports_capacity"].samples[0].value == 16_384
    assert families["headgate_turn_draining"].samples[0].value == 0
    assert families["headgate_turn_relayed_packets"].samples[0].value == 0
    assert "over_rate" in values("headgate_turn_dropped", "reason")
    for name, family in families.items():
        if name.startswith("headgate_turn_"):
            assert family.documentation.endswith("."), name
    # Neither a user nor a client is in any label: they are without number.
    text = (await operator.get("/metrics")).text
    assert "canary" not in text
    assert "192.0.2.7" not in text


async def test_without_a_relay(operator: httpx.AsyncClient) -> None:
    assert not any(name.startswith("headgate_turn_") for name in await scrape(operator))
