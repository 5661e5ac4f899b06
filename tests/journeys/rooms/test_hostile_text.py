"""S-26: whatever a participant writes, it is text to everybody else, and no script of theirs ever runs.

The page's policy is switched off here, so that whatever came to be markup would run; the other journeys hold
it to the strictest policy there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.gate import Gate
from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.villain import ATTACKS, EVIL, Villain
from tests.journeys.rooms.visitor import Visitor

WATCH = """
window.what_ran = [];
window.ran = (which) => window.what_ran.push(which);
window.alert = window.confirm = window.prompt = (text) => window.ran(String(text));
"""
FOREIGN_MARKUP = """() => [...document.querySelectorAll("*")].filter((one) =>
  [...one.attributes].some(({name, value}) =>
    name.startsWith("on") ||
    (["href", "src", "data", "formaction"].includes(name) && /^\\s*(javascript|data:text)/i.test(value))
  ) || ["iframe", "object", "embed", "math", "base", "meta"].includes(one.localName) && !one.closest("head")
).map((one) => one.outerHTML.slice(0, 200))"""
VILLAINS = 6


@pytest.fixture
def port(meeting_place: Gate) -> int:
    return meeting_place.port("Rooms")


@pytest.fixture
def villains(port: int, address: str) -> Iterator[list[Villain]]:
    """In the room, with what is hostile of the beginning of each one's share."""
    room = urlsplit(address).path[1:]
    with ExitStack() as stack:
        found = []
        for number in range(VILLAINS):
            attack = ATTACKS[number]
            villain = stack.enter_context(Villain.connect(port, agent=attack))
            assert villain.hello(room, agent=attack) == "Welcome"
            found.append(villain)
        yield found


@pytest.fixture
def watched(meet: Meet, villains: list[Villain]) -> Visitor:
    """Ada, who is there when they begin."""
    ada = meet("Ada", script=WATCH, bypass_csp=True)
    ada.asked = []  # type: ignore[attr-defined]
    ada.page.on("request", lambda request: ada.asked.append(request.url))  # type: ignore[attr-defined]
    return ada.join().inside()


def assert_nothing_ran(page: Page) -> None:
    assert page.evaluate("() => window.what_ran") == []
    assert page.evaluate(FOREIGN_MARKUP) == []


def test_what_others_write(watched: Visitor, villains: list[Villain], port: int, address: str) -> None:
    ada = watched
    ada.control("Chat").click()
    own = _id_of_ada(port, address, villains)
    for begin in range(0, len(ATTACKS), VILLAINS):
        for villain, attack in zip(villains, ATTACKS[begin : begin + VILLAINS], strict=False):
            villain.be_called(attack)
            villain.write(attack)
            villain.write(attack, to=own)
            villain.signal(attack, to=own)
            villain.send("Hand", {"Raised": begin % 2 == 0})
        for villain in villains:
            villain.settle()
        assert_nothing_ran(ada.page)
    expect(ada.page.get_by_role("log").get_by_text(ATTACKS[0]).first).to_be_visible()
    ada.control("People").click()
    last = ATTACKS[len(ATTACKS) - len(ATTACKS) % VILLAINS - VILLAINS :][:VILLAINS]
    expect(ada.page.get_by_label("In the room").get_by_text(last[-1]).first).to_be_visible()
    for tab in ada.page.get_by_role("tab").all():
        tab.click()
        assert_nothing_ran(ada.page)
    assert not [url for url in ada.asked if url.startswith(EVIL)]  # type: ignore[attr-defined]
    assert {urlsplit(url).hostname for url in ada.asked if url.startswith("http")} <= {"127.0.0.1"}  # type: ignore[attr-defined]


def _id_of_ada(port: int, address: str, villains: list[Villain]) -> str:
    """The one whom the villains' own list has besides them."""
    room = urlsplit(address).path[1:]
    with Villain.connect(port, agent="x") as one:
        assert one.hello(room, agent="x") == "Welcome"
        (own,) = one.present.keys() - {one.id, *(villain.id for villain in villains)}
    return own


def test_what_a_moderator_writes(watched: Visitor, villains: list[Villain], port: int, address: str) -> None:
    """Labels of breakout rooms, a lobby full of names, and the reason for being put out."""
    moderator, ada = villains[0], watched
    own = _id_of_ada(port, address, villains)
    labels = [attack.replace("/", "|")[:64] for attack in ATTACKS[:50]]
    moderator.order(Action="breakout", Rooms=[{"Label": label, "Ids": []} for label in labels])
    moderator.order(Action="promote", Id=own)
    moderator.order(Action="settings", Lobby=True)
    room = urlsplit(address).path[1:]
    with ExitStack() as stack:
        for attack in ATTACKS[:8]:
            late = stack.enter_context(Villain.connect(port, agent=attack))
            late.be_called(attack)
            assert late.hello(room, agent=attack) == "Waiting"
        ada.control("People").click()
        expect(ada.page.get_by_text(ATTACKS[6]).first).to_be_visible()
        assert_nothing_ran(ada.page)
    moderator.order(Action="remove", Id=own, Reason=ATTACKS[1])
    expect(ada.page.get_by_text("You are not in the room any more")).to_be_visible()
    expect(ada.page.get_by_text(ATTACKS[1])).to_be_visible()
    assert_nothing_ran(ada.page)


@pytest.mark.parametrize("attack", [ATTACKS[0], ATTACKS[16], ATTACKS[31], ATTACKS[-6], ATTACKS[-3]])
def test_a_room_with_a_hostile_name(meet: Meet, meeting_place: Gate, port: int, attack: str) -> None:
    ada = meet("Ada", url=f"http://127.0.0.1:{port}/{quote(attack, safe='')}", script=WATCH, bypass_csp=True)
    assert_nothing_ran(ada.page)
    ada.join().inside()
    found = [one for one in meeting_place.get("/rooms")["items"] if one["name"] == attack]
    meeting_place.http.post(f"/rooms/{found[0]['id']}/messages", json={"message": attack}).raise_for_status()
    ada.told(attack)
    assert_nothing_ran(ada.page)
    meeting_place.http.delete(f"/rooms/{found[0]['id']}", params={"reason": attack}).raise_for_status()
    expect(ada.page.get_by_text("You are not in the room any more")).to_be_visible()
    assert_nothing_ran(ada.page)


def test_the_operators_pages(browser: Browser, meeting_place: Gate, port: int, address: str) -> None:
    """Whoever looks at rooms and sessions with a browser sees JSON, and no script runs in it either."""
    names = [attack for attack in ATTACKS if attack.isprintable()]
    with ExitStack() as stack, browser.new_context(bypass_csp=True) as context:
        for attack in names:
            villain = stack.enter_context(Villain.connect(port, agent=attack))
            villain.be_called(attack)
            assert villain.hello(attack, agent=attack) == "Welcome"
        ids = [one["id"] for one in meeting_place.get("/rooms")["items"] if one["name"] in names]
        assert len(ids) == len(names)
        context.add_init_script(WATCH)
        page = context.new_page()
        shown = [
            "/",
            "/docs",
            "/rooms",
            f"/rooms/{ids[0]}",
            "/v1/sessions",
            "/v1/services",
            "/metrics",
            "/health",
        ]
        for path in (
            *shown,
            f"/nothing/{quote(ATTACKS[0], safe='')}",
            f"/rooms/{quote(ATTACKS[0], safe='')}",
        ):
            answer = page.goto(f"{meeting_place.operator}{path}")
            assert answer is not None
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind == ("text/html" if path in {"/", "/docs"} else kind), path
            assert (kind == "text/html") is (path in {"/", "/docs"}), path
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert_nothing_ran(page)
        targets = {seen["target"] for seen in meeting_place.events.matching("session.changed")}
        assert {f"Room:{attack}" for attack in names} <= targets
        lines = meeting_place.log.splitlines()
        assert not [line for line in lines if line.startswith(("<", '"', "'"))]


def test_it_would_be_noticed(meet: Meet) -> None:
    page = meet("Ada", script=WATCH, bypass_csp=True).page
    page.evaluate("(html) => document.body.insertAdjacentHTML('beforeend', html)", ATTACKS[1])
    page.wait_for_function("() => window.what_ran.length === 1")
    assert len(page.evaluate(FOREIGN_MARKUP)) == 1
