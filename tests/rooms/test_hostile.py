"""Whatever a client says is decoded or answered with an Error that changes nothing, and leaves no ghost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.engine import Engine
from headgate.rooms import table
from headgate.rooms.hub import Hub
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Refusal
from tests.rooms.hostile import Fuzzer

DOCUMENTS = 2000


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=256)
    yield engine
    engine.shutdown()


@pytest.mark.parametrize("seed", range(4))
def test_hostile_documents(engine: Engine, seed: int) -> None:
    fuzzer = Fuzzer(engine, seed)
    for _ in range(DOCUMENTS):
        fuzzer.say()
    assert fuzzer.refused < 0.9 * DOCUMENTS
    assert fuzzer.ways > 40, "it says the same again and again"


def test_where_there_is_hardly_room_for_rooms(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "ROOMS_LIMIT", 6)
    fuzzer = Fuzzer(engine, 7)
    for _ in range(DOCUMENTS):
        fuzzer.say()


def test_it_would_notice(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = Hub.refuse

    def carelessly(hub: Hub, participant: Participant, refusal: Refusal) -> None:
        participant.profile.rev += 1
        refuse(hub, participant, refusal)

    monkeypatch.setattr(Hub, "refuse", carelessly)
    fuzzer = Fuzzer(engine, 1)
    with pytest.raises(AssertionError, match="refused, and yet people changed"):
        all(fuzzer.say() is None for _ in range(100))
