"""Bringing somebody: the room's address for other programs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.rooms.conftest import Meet

WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
WITHOUT_ANY = WITHOUT_CLIPBOARD + "document.execCommand = () => false;"


@pytest.mark.parametrize(
    ("script", "said"),
    [("", "Copied"), (WITHOUT_CLIPBOARD, "Copied"), (WITHOUT_ANY, "Not copied")],
    ids=["clipboard", "as over plain HTTP", "not at all"],
)
def test_the_address_is_copied_or_it_is_said_that_it_is_not(
    meet: Meet, address: str, script: str, said: str
) -> None:
    ada = meet("Ada", script=script).join().inside()
    invitation = ada.page.get_by_role("complementary", name="Invite")
    invitation.get_by_role("button", name="Copy link").click()
    expect(invitation.get_by_role("button", name=said, exact=True)).to_be_visible()
    if said == "Copied":
        ada.control("Chat").click()
        ada.page.keyboard.press("Control+V")
        expect(ada.page.get_by_label("Message to everybody")).to_have_value(address)
