"""Everything the page shows, as a screen reader and a keyboard find it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.journeys.rooms.accessibility import findings
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.test_door import open_controls

DENIED = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""
LOOKS = pytest.mark.parametrize("look", ["light", "dark"])


@LOOKS
def test_the_way_in_has_no_finding(meet: Meet, address: str, look: str) -> None:
    ada = meet("Ada", color_scheme=look)
    assert findings(ada.page) == []
    ada.page.get_by_role("button", name="More settings").click()
    assert findings(ada.page) == []
    ada.page.get_by_role("button", name="Close", exact=True).click()
    ada.page.goto(address.rsplit("/", 1)[0])
    expect(ada.page.get_by_role("button", name="Open a new room")).to_be_visible()
    assert findings(ada.page) == []
    denied = meet("Nobody", script=DENIED, color_scheme=look)
    expect(denied.page.get_by_role("alert")).to_contain_text("microphone and camera")
    assert findings(denied.page) == []


@LOOKS
def test_the_doors_have_no_finding(meet: Meet, look: str) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_role("switch", name="Lobby").check()
    ada.page.get_by_role("button", name="Close", exact=True).click()
    grace = meet("Grace", color_scheme=look).join()
    expect(grace.page.get_by_role("heading", name="You are in the lobby")).to_be_focused()
    assert findings(grace.page) == []
    ada.page.get_by_role("button", name="Refuse").click()
    expect(grace.page.get_by_role("heading", name="You cannot come in")).to_be_focused()
    assert findings(grace.page) == []
    ada.page.get_by_role("button", name="Room controls").click()
    ada.page.get_by_role("switch", name="Lobby").uncheck()
    ada.page.get_by_label("PIN").fill("1234")
    ada.page.get_by_role("button", name="Set", exact=True).first.click()
    ada.told("The room has a new PIN.")
    katherine = meet("Katherine", color_scheme=look).join()
    expect(katherine.page.get_by_label("PIN")).to_be_focused()
    assert findings(katherine.page) == []
    ada.page.get_by_role("button", name="Close", exact=True).click()
    ada.control("Leave").click()
    expect(ada.page.get_by_role("heading", name="You have left the room")).to_be_focused()
    assert findings(ada.page) == []


@LOOKS
def test_a_call_has_no_finding(meet: Meet, look: str, tmp_path: Path) -> None:
    ada = meet("Ada", color_scheme=look).join().inside()
    assert findings(ada.page) == []
    grace = meet("Grace").join().inside()
    grace.control("Stop camera").click()
    grace.control("Raise hand").click()
    ada.told("Grace raises a hand")
    assert findings(ada.page) == []
    katherine = meet("Katherine").join().inside()
    ada.sees("Katherine")
    assert findings(ada.page) == []
    ada.control("People").click()
    ada.page.get_by_label("In the room").get_by_role("button", name="Actions for Grace").click()
    assert findings(ada.page) == []
    ada.page.keyboard.press("Escape")
    ada.page.get_by_role("button", name="Room controls").click()
    assert findings(ada.page) == []
    ada.page.get_by_role("button", name="Close", exact=True).click()
    file = tmp_path / "minutes.txt"
    file.write_text("We met.")
    katherine.control("Chat").click()
    katherine.write("Look at https://example.org/")
    katherine.page.locator("input[type=file]").set_input_files(file)
    ada.act("Grace", "Write privately")
    ada.write("Between us", to="Message to Grace")
    expect(ada.page.get_by_text("Delivered")).to_be_visible()
    assert findings(ada.page) == []
    ada.page.get_by_role("tab", name="Everybody").click()
    expect(ada.page.get_by_role("button", name="Get")).to_be_visible()
    assert findings(ada.page) == []
    katherine.control("Share the screen").click()
    expect(ada.page.get_by_label("Screen of Katherine")).to_be_visible()
    assert findings(ada.page) == []
