from __future__ import annotations

import httpx

from headgate.api.app import build
from headgate.api.view import View
from headgate.core.auth import Access, Leases
from headgate.core.config import Configuration, ConfigurationStore, Startup
from headgate.core.events import Bus
from headgate.core.registry import Registry
from headgate.engine import Engine
from tests.api.house import LONG_AGO, House, Paths


async def test_alive(house: House, operator: httpx.AsyncClient) -> None:
    house.visit()

    body = (await operator.get("/health")).json()

    assert (body["status"], body["version"], body["sessions"]) == ("ok", "1.2.3", 1)
    assert body["uptime_s"] > 0
    assert body["started"] == "2024-02-29T12:30:15.123456Z"


async def test_ready_while_services_listen(house: House, operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "services": ["RTSP"]})

    house.bus.close()
    answer = await operator.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")


async def test_not_ready_while_it_drains(house: House, operator: httpx.AsyncClient) -> None:
    house.registry.drain()
    answer = await operator.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
    assert (await operator.get("/health")).status_code == 200


async def test_not_ready_before(engine: Engine) -> None:
    bus = Bus()
    configuration = Configuration.default()
    access, registry = Access(lambda: configuration.global_), Registry(engine=engine, bus=bus)
    view = View(
        access=access,
        leases=Leases(access=access, registry=registry),
        registry=registry,
        bus=bus,
        engine=engine,
        paths=Paths(),
        connections={},
        configuration=lambda: configuration,
        store=ConfigurationStore(Startup.of(configuration), bus=bus),
        started=LONG_AGO,
        version="1.2.3",
    )
    transport = httpx.ASGITransport(build(view))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate.example") as client:
        answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (503, "starting")
