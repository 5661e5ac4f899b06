"""Who comes in, and who decides."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.journeys.gate import Gate
from tests.journeys.rooms.accessibility import findings
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.visitor import Visitor


def open_controls(moderator: Visitor) -> None:
    moderator.control("People").click()
    moderator.page.get_by_role("button", name="Room controls").click()


def test_a_pin_is_asked_for(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_label("PIN").fill("1234")
    ada.page.get_by_role("button", name="Set", exact=True).first.click()
    ada.told("The room has a new PIN.")
    grace = meet("Grace").join()
    grace.page.get_by_label("PIN").fill("4321")
    grace.page.get_by_role("button", name="Go in").click()
    expect(grace.page.get_by_role("alert")).to_have_text("That is not the PIN of this room.")
    assert findings(grace.page) == []
    expect(grace.page.get_by_label("PIN")).to_be_focused()
    grace.page.keyboard.type("1234")  # in place of the wrong one
    grace.page.keyboard.press("Enter")
    grace.inside().sees("Ada")
    ada.page.get_by_role("button", name="Remove", exact=True).click()
    ada.told("The room has no PIN any more.")
    meet("Katherine").join().inside()


def test_who_came_with_a_pin_comes_in_again_when_there_is_none_any_more(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_label("PIN").fill("1234")
    ada.page.get_by_role("button", name="Set", exact=True).first.click()
    ada.told("The room has a new PIN.")
    grace = meet("Grace").join()
    grace.page.get_by_label("PIN").fill("1234")
    grace.page.keyboard.press("Enter")
    grace.inside().control("Leave").click()
    ada.page.get_by_role("button", name="Remove", exact=True).click()
    ada.told("The room has no PIN any more.")
    grace.page.get_by_role("button", name="Join again").click()
    grace.inside().sees("Ada")


def test_nobody_new_comes_into_a_locked_room(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    katherine = meet("Katherine").join().inside()
    open_controls(ada)
    ada.page.get_by_role("switch", name="Locked").check()
    katherine.told("The room is locked: nobody new comes in.")
    expect(katherine.page.get_by_role("heading", level=1)).to_contain_text("Locked")
    grace = meet("Grace").join()
    expect(grace.page.get_by_role("alert")).to_have_text("The room is locked: nobody new can come in.")
    grace.page.get_by_role("button", name="Try again").click()
    expect(grace.page.get_by_role("button", name="Try again")).to_be_enabled()
    expect(grace.page.get_by_role("alert")).to_be_visible()
    ada.page.get_by_role("switch", name="Locked").uncheck()
    ada.told("The room is open again.")
    grace.page.get_by_role("button", name="Try again").click()
    grace.inside().sees("Ada", "Katherine")


def test_a_room_takes_as_many_as_its_moderator_says(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_label("Most people").fill("2")
    ada.page.get_by_role("button", name="Set", exact=True).click()
    ada.told("At most 2 people may be in the room.")
    grace = meet("Grace").join().inside()
    katherine = meet("Katherine").join()
    expect(katherine.page.get_by_role("alert")).to_have_text("The room is full.")
    assert findings(katherine.page) == []
    grace.control("Leave").click()
    ada.told("Grace has left")
    katherine.page.get_by_role("button", name="Try again").click()
    katherine.inside().sees("Ada")


def test_a_moderator_lets_people_in_from_the_lobby(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_role("switch", name="Lobby").check()
    ada.page.get_by_role("button", name="Close", exact=True).click()
    grace = meet("Grace").join()
    expect(grace.page.get_by_text("You are in the lobby")).to_be_visible()
    ada.told("Grace waits to be let in")
    ada.page.get_by_role("button", name="Let in").click()
    grace.inside().sees("Ada")
    katherine = meet("Katherine").join()
    ada.page.get_by_role("button", name="Refuse").click()
    expect(katherine.page.get_by_role("heading", name="You cannot come in")).to_be_visible()


def test_a_moderator_mutes_and_removes(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    grace.control("Raise hand").click()
    ada.told("Grace raises a hand")
    expect(ada.tile("Grace").get_by_text("raises a hand")).to_be_attached()
    ada.control("People").click()
    ada.act("Grace", "Mute")
    grace.told("A moderator has muted your microphone.")
    expect(grace.control("Unmute microphone")).to_be_disabled()
    ada.act("Grace", "Allow to speak")
    grace.told("You may speak again.")
    expect(grace.control("Mute microphone")).to_be_enabled()
    ada.act("Grace", "Remove Grace")
    expect(grace.page.get_by_text("You are not in the room any more")).to_be_visible()
    expect(ada.tile("Grace")).to_have_count(0)


def test_a_moderator_ends_the_meeting_when_asked_twice(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    open_controls(ada)
    ada.page.get_by_role("button", name="End the meeting for everybody").click()
    ada.page.get_by_role("button", name="Go on").click()
    ada.page.get_by_role("button", name="End the meeting for everybody").click()
    expect(ada.page.get_by_role("button", name="End it", exact=True)).to_be_focused()
    ada.page.keyboard.press("Enter")
    for person in (ada, grace):
        expect(person.page.get_by_text("You are not in the room any more")).to_be_visible()
        assert findings(person.page) == []


def test_an_operator_puts_somebody_out_for_good(meet: Meet, meeting_place: Gate, address: str) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    own = ada.tile("Grace").get_attribute("data-participant")
    (room,) = [one for one in meeting_place.get("/rooms")["items"] if address.endswith(f"/{one['name']}")]
    there = meeting_place.get(f"/rooms/{room['id']}")["members"]
    (session,) = [one["session"] for one in there if one["id"] == own]
    meeting_place.http.delete(f"/rooms/{room['id']}/participants/{session}").raise_for_status()
    expect(grace.page.get_by_text("You are not in the room any more")).to_be_visible()
    expect(ada.tile("Grace")).to_have_count(0)


def test_breakout_rooms_and_back(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    katherine = meet("Katherine").join().inside()
    ada.sees("Grace", "Katherine")
    open_controls(ada)
    ada.page.get_by_label("Groups, dealt at random").fill("1")
    ada.page.get_by_role("button", name="Open").click()
    grace.told("You are in a breakout room now.")
    grace.sees("Katherine")
    expect(grace.tile("Ada")).to_have_count(0)
    assert findings(grace.page) == []
    assert findings(ada.page) == []
    # Whoever leaves there comes in again where the address leads.
    grace.control("Leave").click()
    grace.page.get_by_role("button", name="Join again").click()
    grace.inside()
    expect(grace.page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^tea-\d+$"))
    ada.sees("Grace")
    ada.page.get_by_role("button", name="Visit").click()
    ada.sees("Katherine")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)
    ada.page.get_by_role("button", name=re.compile("^Back to tea-")).click()
    ada.sees("Grace")
    ada.page.get_by_role("button", name="Room controls").click()
    ada.page.get_by_role("button", name="Call everybody back").click()
    ada.page.get_by_role("button", name="Close", exact=True).click()
    ada.sees("Grace", "Katherine")
    katherine.sees("Ada", "Grace")


def test_what_was_said_is_kept_by_choice(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    open_controls(ada)
    ada.page.get_by_role("switch", name="Keep the chat").check()
    ada.page.get_by_role("button", name="Close", exact=True).click()
    ada.control("Chat").click()
    ada.write("For who comes later")
    grace = meet("Grace").join().inside()
    grace.control("Chat").click()
    grace.reads("For who comes later")


def test_two_with_accounts_become_contacts(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    for person in (ada, grace):
        person.page.get_by_role("button", name="Settings").click()
        person.page.get_by_role("button", name="Make an account for this browser").click()
        expect(person.page.get_by_text("Sign out of this browser")).to_be_visible()
        person.page.get_by_role("button", name="Close", exact=True).click()
    ada.control("People").click()
    ada.act("Grace", "Ask to be contacts")
    grace.told("Ada wants to be your contact")
    grace.control("People").click()
    grace.page.get_by_role("button", name="Yes").click()
    ada.told("Grace is your contact now")
    expect(ada.page.get_by_label("Contacts").get_by_text("in the room")).to_be_visible()
    expect(grace.page.get_by_label("Contacts").get_by_text("Ada")).to_be_visible()
