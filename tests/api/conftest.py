"""A house and a client of its operator's listener."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from headgate.engine import Engine
from tests.api.house import House


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=256)
    yield engine
    engine.shutdown()


@pytest.fixture
def house(engine: Engine) -> House:
    return House(engine)


@pytest.fixture
async def operator(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong credentials are not slowed, but in the test that is about it."""
    monkeypatch.setattr("headgate.core.auth.access.FAILURE_PAUSE", 0.0)
