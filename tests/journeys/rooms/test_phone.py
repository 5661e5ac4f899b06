"""The page on screens of phones: nothing is cut off, and everything is reached with a finger."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.rooms.accessibility import findings
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.visitor import Visitor

PHONES = pytest.mark.parametrize(
    ("width", "height"), [(390, 844), (360, 640), (320, 568), (844, 390)], ids=lambda side: f"{side}"
)
FINGER = 36  # pixels; WCAG 2.5.8 asks for 24

PIXEL = 1  # where something ends may lie between two of them


def phone(width: int, height: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}, "has_touch": True, "is_mobile": True}


def fits(visitor: Visitor) -> None:
    """Nothing is beside the screen."""
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def in_reach(visitor: Visitor, target: Locator) -> None:
    """All of it is on the screen, it is large enough, and nothing lies over it."""
    target.scroll_into_view_if_needed()
    box, screen = target.bounding_box(), visitor.page.viewport_size
    assert box is not None
    assert screen is not None
    assert min(box["width"], box["height"]) >= FINGER, box
    assert box["x"] >= -PIXEL, box
    assert box["y"] >= -PIXEL, box
    assert box["x"] + box["width"] <= screen["width"] + PIXEL, box
    assert box["y"] + box["height"] <= screen["height"] + PIXEL, box
    target.click(trial=True)


@PHONES
def test_a_call_on_a_phone(meet: Meet, width: int, height: int) -> None:
    grace = meet("Grace").join().inside()
    ada = meet("Ada", **phone(width, height))
    fits(ada)
    for name in ("Mute microphone", "Stop camera", "Join", "More settings"):
        in_reach(ada, ada.page.get_by_role("button", name=name))
    ada.page.get_by_role("button", name="Join").tap()
    ada.inside().sees("Grace")
    fits(ada)
    for button in ada.page.get_by_role("toolbar").get_by_role("button").all():
        in_reach(ada, button)
    menu = ada.tile("Grace").get_by_role("button", name="Actions for Grace")
    in_reach(ada, menu)
    menu.tap()
    for item in ada.page.get_by_role("menuitem").all():
        in_reach(ada, item)
    ada.page.get_by_role("menuitem", name="Write privately").tap()
    field = ada.page.get_by_label("Message to Grace")
    in_reach(ada, field)
    expect(field).not_to_be_focused()  # the keyboard would cover what is read
    field.fill("From the train")
    ada.page.get_by_role("button", name="Send", exact=True).tap()
    grace.told("Ada: From the train")
    fits(ada)
    assert findings(ada.page) == []
    ada.page.get_by_role("button", name="Close chat").tap()
    ada.control("People").tap()
    in_reach(ada, ada.page.get_by_role("button", name="Close people"))
    ada.page.get_by_role("button", name="Close people").tap()
    ada.page.get_by_role("banner").get_by_role("button", name="Settings").tap()
    in_reach(ada, ada.page.locator("label").filter(has_text="Hide my address"))
    fits(ada)


AWAKE = """
window.held = 0;
const release = async () => { window.held -= 1; };
const request = async () => { window.held += 1; return { released: false, release }; };
Object.defineProperty(navigator, "wakeLock", { value: { request } });
"""


def test_the_screen_stays_on_as_long_as_the_call(meet: Meet) -> None:
    ada = meet("Ada", script=AWAKE, **phone(390, 844))
    assert ada.page.evaluate("() => window.held") == 0
    ada.join().inside()
    ada.page.wait_for_function("() => window.held === 1")
    ada.control("Leave").click()
    ada.page.wait_for_function("() => window.held === 0")
