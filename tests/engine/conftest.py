"""What the tests of the boundary share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from headgate.engine import Engine, EngineLoop
from tests.engine.gate import Gate


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with EngineLoop(workers=2) as loop:
        yield Gate(loop)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=16)
    yield engine
    engine.shutdown()
