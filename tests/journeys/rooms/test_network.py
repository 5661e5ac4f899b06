"""The network goes away, and the call does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.journeys.gate import Gate, settings
from tests.journeys.rooms.accessibility import findings
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.network import Network
from tests.journeys.rooms.visitor import chromium, open_browser

OUTAGE = 10_000  # ms


@pytest.fixture(scope="module")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One that other machines can reach."""
    with Gate.open(tmp_path_factory.mktemp("rooms"), settings(rooms={"address": ":0"})) as gate:
        yield gate


@pytest.fixture
def network() -> Iterator[Network]:
    with Network.open() as network:
        yield network


@pytest.fixture
def far_url(network: Network, meeting_place: Gate) -> str:
    return f"http://{network.near}:{meeting_place.port('Rooms')}/tea"


@pytest.fixture
def far_browser(network: Network, far_url: str, playwright: Playwright, tmp_path: Path) -> Iterator[Browser]:
    """A browser behind the cable. Its page is not from localhost, and gets a camera all the same."""
    origin = far_url.rsplit("/", 1)[0]
    also = (f"--unsafely-treat-insecure-origin-as-secure={origin}",)
    with open_browser(playwright, program=network.program(chromium, tmp_path), also=also) as browser:
        yield browser


def test_the_network_is_lost_for_10_s_and_the_call_goes_on(
    meet: Meet, network: Network, far_browser: Browser, far_url: str, meeting_place: Gate
) -> None:
    ada = meet("Ada", url=f"http://localhost:{meeting_place.port('Rooms')}/tea").join().inside()
    grace = meet("Grace", to=far_browser, url=far_url).join().inside()
    ada.sees("Grace")
    grace.sees("Ada")
    grace.control("Chat").click()
    own_id = grace.tile("Ada").get_attribute("data-participant")

    network.unplug()
    expect(ada.tile("Grace").get_by_text("Reconnecting…")).to_be_visible(timeout=OUTAGE)
    assert findings(ada.page) == []
    grace.write("Written while there was no network")
    grace.page.wait_for_timeout(OUTAGE)  # the outage itself
    network.plug()

    ada.told("Grace: Written while there was no network")
    expect(ada.tile("Grace").get_by_text("Reconnecting…")).to_have_count(0)
    ada.sees("Grace")
    grace.sees("Ada")
    # The same people, and nobody twice.
    assert grace.tile("Ada").get_attribute("data-participant") == own_id
    expect(ada.page.locator("[data-participant]")).to_have_count(1)
    assert ada.page.get_by_text("Grace has left").count() == 0
    ada.control("Chat").click()
    ada.write("And back")
    grace.reads("And back")


def test_the_server_goes_and_comes_and_the_call_goes_on(meet: Meet, tmp_path: Path) -> None:
    """Sound and pictures do not need the server; who is in the room is known again as soon as it is back."""
    with Gate.open(tmp_path, settings(rooms={"address": "127.0.0.1:0"})) as gate:
        port = gate.port("Rooms")
        url = f"http://127.0.0.1:{port}/tea"
        ada = meet("Ada", url=url).join().inside()
        grace = meet("Grace", url=url).join().inside()
        ada.sees("Grace")
    expect(ada.page.get_by_text("Connecting to the server again…")).to_be_visible()
    assert findings(ada.page) == []
    ada.sees("Grace")
    grace.sees("Ada")
    with Gate.open(tmp_path, settings(rooms={"address": f"127.0.0.1:{port}"})):
        for person in (ada, grace):
            expect(person.page.get_by_text("Connecting to the server again…")).to_have_count(0)
            expect(person.page.locator("[data-participant]")).to_have_count(1)
        ada.sees("Grace")
        ada.control("Chat").click()
        ada.write("Still here")
        grace.told("Ada: Still here")


def test_who_wants_in_while_the_server_is_away_comes_in_when_it_is_back(meet: Meet, tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings(rooms={"address": "127.0.0.1:0"})) as gate:
        port = gate.port("Rooms")
        ada = meet("Ada", url=f"http://127.0.0.1:{port}/tea")
    ada.join()
    expect(ada.page.get_by_text("The server does not answer. Trying again…")).to_be_visible()
    assert findings(ada.page) == []
    with Gate.open(tmp_path, settings(rooms={"address": f"127.0.0.1:{port}"})):
        ada.inside()
