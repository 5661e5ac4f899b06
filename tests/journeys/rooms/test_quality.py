"""The bars on a picture say what its connection is like: the network gets worse, and better again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.journeys.gate import Gate, settings
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.lossy import Lossy
from tests.journeys.rooms.test_relay import RELAY_ONLY

SECRET = "a shared secret of some length"
PATIENCE = 40_000  # ms; the browser hears of loss by RTCP, every second or so, and has to calm down


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lossy]:
    """The only way between the browsers: in front of a relay of another server."""
    turn = {"interfaces": [{"transport": "udp", "bind": "127.0.0.1:0"}], "authSecrets": [SECRET]}
    with (
        Gate.open(tmp_path_factory.mktemp("relay"), settings(rtsp=False, turn=turn)) as relay,
        Lossy.open(("127.0.0.1", relay.port("TURN", transport="UDP"))) as network,
    ):
        yield network


@pytest.fixture(scope="module")
def meeting_place(tmp_path_factory: pytest.TempPathFactory, network: Lossy) -> Iterator[Gate]:
    rooms = {
        "address": "127.0.0.1:0",
        "turnURIs": [f"turn:127.0.0.1:{network.port}?transport=udp"],
        "turnSecret": SECRET,
    }
    directory: Path = tmp_path_factory.mktemp("rooms")
    with Gate.open(directory, settings(rooms=rooms)) as gate:
        yield gate


def test_the_bars_follow_the_network(meet: Meet, network: Lossy) -> None:
    ada = meet("Ada", script=RELAY_ONLY).join().inside()
    grace = meet("Grace", script=RELAY_ONLY).join().inside()
    ada.sees("Grace")
    bars = ada.tile("Grace").locator("[data-quality]")

    def becomes(quality: str) -> None:
        expect(bars).to_have_attribute("data-quality", quality, timeout=PATIENCE)

    becomes("good")
    network.loss = 0.12  # twice on the way from one to the other
    becomes("poor")
    expect(bars).to_contain_text("Poor connection")
    expect(bars).to_have_attribute("title", re.compile(r"ms, \d+\.\d % lost"))
    network.loss = 0.0
    becomes("good")
    network.delay = 0.1  # four times there and back
    becomes("fair")
    network.delay = 0.25
    becomes("poor")
    network.delay = 0.0
    becomes("good")
    grace.sees("Ada")
