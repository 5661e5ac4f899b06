"""A call by somebody who has a keyboard and no mouse."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.journeys.rooms.conftest import Meet

STEPS = 40  # more stops than any state of the page has


def go_to(page: Page, target: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(STEPS):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    expect(target).to_be_focused(timeout=1)


def test_a_whole_call_by_keyboard(meet: Meet) -> None:
    grace = meet("Grace").join().inside()
    ada = meet("Ada")
    page, press = ada.page, ada.page.keyboard.press

    go_to(page, page.get_by_role("button", name="Stop camera"))
    press("Enter")
    go_to(page, page.get_by_role("button", name="Start camera"))
    press("Space")
    go_to(page, page.get_by_role("button", name="Join"))
    press("Enter")
    ada.inside()
    expect(page.get_by_role("heading", level=1)).to_be_focused()

    go_to(page, ada.control("Mute microphone"))
    press("Enter")
    expect(ada.control("Unmute microphone")).to_be_focused()
    press("ArrowRight")
    expect(ada.control("Stop camera")).to_be_focused()
    press("ArrowLeft")
    press("ArrowLeft")
    expect(ada.control("Leave")).to_be_focused()

    go_to(page, ada.control("Chat"))
    press("Enter")
    field = page.get_by_label("Message to everybody")
    expect(field).to_be_focused()
    page.keyboard.type("By keyboard")
    press("Enter")
    grace.told("Ada: By keyboard")
    press("Escape")
    expect(page.get_by_role("complementary", name="Chat")).to_have_count(0)
    expect(ada.control("Chat")).to_be_focused()

    press("ArrowRight")
    press("Enter")
    go_to(page, page.get_by_label("In the room").get_by_role("button", name="Actions for Grace"))
    press("Enter")
    expect(page.get_by_role("menuitem", name="Write privately")).to_be_focused()
    press("End")
    press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    press("Enter")
    press("Enter")
    expect(page.get_by_label("Message to Grace")).to_be_focused()
    page.keyboard.type("Psst")
    press("Enter")
    grace.told("Ada: Psst")
    tab = page.get_by_role("tab", name="Grace")
    for _ in range(STEPS):
        if tab.evaluate("one => one === document.activeElement"):
            break
        press("Shift+Tab")
    press("ArrowLeft")
    expect(page.get_by_role("tab", name="Everybody")).to_be_focused()
    ada.reads("By keyboard")
    press("Escape")

    settings = page.get_by_role("banner").get_by_role("button", name="Settings")
    go_to(page, settings)
    press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    go_to(page, page.get_by_role("switch", name="Keyboard shortcuts"))
    press("Space")
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(settings).to_be_focused()
    press("m")
    expect(ada.control("Unmute microphone")).to_be_visible()

    go_to(page, ada.control("Leave"))
    press("Enter")
    expect(page.get_by_role("heading", name="You have left the room")).to_be_focused()
    press("Tab")
    press("Enter")
    ada.inside().sees("Grace")
