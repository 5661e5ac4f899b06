"""A server whose page is for those who have an access code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.gate import Gate, settings
from tests.journeys.rooms.accessibility import findings

QUESTION = "You need a code to come in"


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    file = tmp_path / "codes"
    file.write_text("open-sesame\nanother\n")
    return file


@pytest.fixture
def address(tmp_path: Path, codes: Path) -> Iterator[str]:
    rooms = {"address": "127.0.0.1:0", "tokenFile": str(codes)}
    with Gate.open(tmp_path, settings(rooms=rooms)) as gate:
        yield f"http://127.0.0.1:{gate.port('Rooms')}/tea"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(permissions=["camera", "microphone"]) as context:
        yield context.new_page()


def test_a_code_is_asked_for_once(page: Page, address: str) -> None:
    page.goto(address)
    field = page.get_by_label("Access code")
    expect(field).to_be_focused()
    assert findings(page) == []
    field.fill("guess")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is no code of this server.")
    field.fill("open-sesame")
    field.press("Enter")
    expect(page.get_by_role("button", name="Join")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Join")).to_be_visible()
    expect(page.get_by_text(QUESTION)).to_have_count(0)


def test_a_code_that_was_taken_back_opens_no_more(page: Page, address: str, codes: Path) -> None:
    page.goto(address)
    page.get_by_label("Access code").fill("another")
    page.get_by_role("button", name="Go in").click()
    expect(page.get_by_role("button", name="Join")).to_be_visible()
    codes.write_text("open-sesame\n")
    page.reload()
    expect(page.get_by_text(QUESTION)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("That is no code of this server.")
