"""A client that was written for Spreed WebRTC calls the page, and is called by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.visitor import Visitor

CLIENT = Path(__file__).with_name("old_client.js").read_text()
SEES = "() => (old.video?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5"


@pytest.fixture
def old(browser: Browser, address: str, ada: Visitor) -> Iterator[Page]:
    """It comes when somebody is there already, in a page of the server that has no scripts of its own."""
    with browser.new_context(permissions=["camera", "microphone"]) as context:
        page = context.new_page()
        server, room = address.rsplit("/", 1)
        page.goto(f"{server}/api/v1/config")
        page.evaluate(CLIENT, ["Karl", room])
        page.wait_for_function("() => old.inside")
        yield page


@pytest.fixture
def ada(meet: Meet) -> Visitor:
    return meet("Ada").join().inside()


def test_an_old_client_calls_and_is_taken(ada: Visitor, old: Page) -> None:
    ada.told("Karl has joined")
    old.evaluate("() => old.ring([...old.users.keys()].find((id) => id !== old.id))")
    ada.sees("Karl")
    old.wait_for_function(SEES)
    ada.told("Karl: over the channel")


def test_an_old_client_is_called_by_hand(ada: Visitor, old: Page) -> None:
    ada.told("Karl has joined")
    ada.control("People").click()
    ada.act("Karl", "Call")
    ada.sees("Karl")
    old.wait_for_function(SEES)
    ada.control("Leave").click()
    old.wait_for_function("() => old.bye !== undefined")
