"""Calls between real browsers."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys.rooms.conftest import Meet

CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""
SENDS = """([count, each]) => {
  const open = window.connections.filter((one) => one.connectionState === "connected");
  const senders = open.map((one) => one.getSenders().find(({ track }) => track?.kind === "video"));
  const most = senders.map((one) => one?.getParameters().encodings[0].maxBitrate);
  return most.length === count && most.every((one) => one === each);
}"""


def test_two_people_call(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    grace.sees("Ada")
    ada.hears("Grace")
    grace.hears("Ada")
    expect(ada.tile("Grace").locator("[data-quality=good]")).to_be_visible()


def test_three_confer(meet: Meet) -> None:
    people = {name: meet(name).join().inside() for name in ("Ada", "Grace", "Katherine")}
    for name, person in people.items():
        person.sees(*(people.keys() - {name}))


def test_the_more_there_are_the_less_each_is_sent(meet: Meet) -> None:
    ada = meet("Ada", script=CONNECTIONS).join().inside()
    people = []
    for name, each in (("Grace", 2_500_000), ("Katherine", 1_500_000), ("Dorothy", 800_000)):
        people.append(meet(name).join().inside())
        ada.sees(name)
        ada.page.wait_for_function(SENDS, arg=[len(people), each])
    people.pop().control("Leave").click()
    ada.page.wait_for_function(SENDS, arg=[len(people), 1_500_000])


def test_who_leaves_is_gone_at_once(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    grace.control("Leave").click()
    expect(ada.tile("Grace")).to_have_count(0)
    ada.told("Grace has left")
    grace.page.get_by_role("button", name="Join again").click()
    grace.inside()
    ada.sees("Grace")
    grace.sees("Ada")


def test_camera_and_microphone_are_switched_without_a_new_call(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    grace.control("Stop camera").click()
    expect(ada.tile("Grace").locator("video")).to_be_hidden()
    grace.control("Mute microphone").click()
    expect(ada.tile("Grace").get_by_text("Microphone off")).to_be_attached()
    grace.control("Start camera").click()
    ada.sees("Grace")


def test_a_screen_is_shared_and_seen_by_who_comes_later(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    grace.control("Share the screen").click()
    for_ada = ada.page.get_by_label("Screen of Grace")
    expect(for_ada).to_be_visible()
    ada.page.wait_for_function("video => video.videoWidth > 0", arg=for_ada.element_handle())
    ada.page.get_by_role("button", name="Full screen").click()
    ada.page.wait_for_function("() => document.fullscreenElement?.matches('[data-screen]')")
    ada.page.get_by_role("button", name="Full screen").click()
    ada.page.wait_for_function("() => document.fullscreenElement === null")
    katherine = meet("Katherine").join().inside()
    expect(katherine.page.get_by_label("Screen of Grace")).to_be_visible()
    grace.control("Stop sharing the screen").click()
    expect(for_ada).to_have_count(0)
    expect(katherine.page.get_by_label("Screen of Grace")).to_have_count(0)
    ada.sees("Grace")


def test_a_conference_room_calls_by_the_protocols_rule(meet: Meet, address: str) -> None:
    """The server tells who confers, and each calls those whose Id is greater: also with old clients."""
    people = {
        name: meet(name, url=f"{address}-conference").join().inside()
        for name in ("Ada", "Grace", "Katherine")
    }
    for name, person in people.items():
        person.sees(*(people.keys() - {name}))


def test_everything_is_reached_by_keyboard(meet: Meet) -> None:
    ada = meet("Ada")
    ada.page.get_by_label("Your name").press("Enter")
    ada.inside()
    ada.page.keyboard.press("c")
    expect(ada.page.get_by_role("complementary", name="Chat")).to_be_visible()
    expect(ada.page.get_by_label("Message to everybody")).to_be_focused()
    ada.page.keyboard.type("m is a letter here")
    expect(ada.control("Mute microphone")).to_be_visible()
    ada.page.get_by_role("button", name="Close chat").press("Enter")
    ada.page.keyboard.press("m")
    expect(ada.control("Unmute microphone")).to_be_visible()
    ada.page.keyboard.press("h")
    expect(ada.control("Lower hand")).to_be_visible()
