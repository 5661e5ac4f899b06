"""What moderators decide, held to by the server."""

from __future__ import annotations

import pytest

from tests.rooms.caller import Caller, Document
from tests.rooms.conftest import Wing


async def meeting(wing: Wing, count: int = 2) -> list[Caller]:
    """The first is the moderator; each has heard of all the others."""
    callers = await wing.callers(count)
    for number, caller in enumerate(callers):
        await caller.hello(Extensions=["state"])
        for earlier in callers[:number]:
            await earlier.next("Joined")
    return callers


async def order(caller: Caller, **given: object) -> Document:
    await caller.send("Moderate", given, iid="m")
    envelope = await caller.next()
    assert envelope["Iid"] == "m"
    data: Document = envelope["Data"]
    return data


async def test_the_first_is_the_moderator(wing: Wing) -> None:
    one = await wing.caller()
    welcome = await one.hello(Extensions=["state", "unheard of"])
    assert welcome["Extensions"] == ["state", "resume"]
    assert welcome["State"] == {
        "Moderators": [one.id],
        "Hands": [],
        "Muted": {},
        "Away": [],
        "Locked": False,
        "Lobby": False,
        "Limit": 0,
        "History": False,
        "Breakouts": [],
        "Waiting": [],
    }


async def test_others_may_not(wing: Wing) -> None:
    _, other = await meeting(wing)
    for action in ("remove", "close", "settings", "gather"):
        assert (await order(other, Action=action, Locked=True))["Code"] == "not_a_moderator"
    await other.send("Leave")
    assert (await order(other, Action="close"))["Code"] == "not_in_room"


@pytest.mark.parametrize(
    "given",
    [
        {"Action": "explode"},
        {},
        {"Action": "mute", "Media": "smell"},
        {"Action": "settings", "Limit": -1},
        {"Action": "settings", "Locked": "yes"},
        {"Action": "breakout", "Rooms": []},
        {"Action": "breakout", "Rooms": [{"Label": "a/b"}]},
        {"Action": "breakout", "Rooms": [{"Label": "a"}, {"Label": "a"}]},
    ],
)
async def test_orders_that_are_none(wing: Wing, given: dict[str, object]) -> None:
    one, _ = await meeting(wing)
    assert (await order(one, **given))["Code"] == "bad_request"


async def test_removed_and_kept_out(wing: Wing) -> None:
    one, other = await meeting(wing)
    await one.send("Moderate", {"Action": "remove", "Id": other.id, "Reason": "loud"}, iid="m")
    assert (await one.data("Left"))["Id"] == other.id
    await one.next("State")
    removed = await other.data("Removed")
    assert removed == {"Type": "Removed", "Room": {"Type": "Room", "Name": "tea"}, "Reason": "loud"}
    assert (await other.hello())["Code"] == "removed"
    await other.send("Offer", {"To": one.id, "Offer": {}})
    assert await other.error() == "not_allowed"
    await order(one, Action="admit", Id=other.id)
    assert (await other.hello())["Type"] == "Welcome"


async def test_nobody_removes_themselves(wing: Wing) -> None:
    one, _ = await meeting(wing)
    assert (await order(one, Action="remove", Id=one.id))["Code"] == "not_allowed"


async def test_muted_chat_is_not_passed_on(wing: Wing) -> None:
    one, other = await meeting(wing)
    state = await order(one, Action="mute", Id=other.id, Media="chat")
    assert state["State"]["Muted"] == {other.id: ["chat"]}
    assert (await other.data("State"))["State"]["Muted"] == {other.id: ["chat"]}
    await other.send("Chat", {"To": "", "Chat": {"Message": "hello"}})
    assert await other.error() == "muted"
    await order(one, Action="unmute", Id=other.id, Media="chat")
    await other.next("State")
    await other.send("Chat", {"To": "", "Chat": {"Message": "hello", "NoEcho": True}})
    assert (await one.data("Chat"))["Chat"]["Message"] == "hello"


async def test_mute_everybody_but_moderators(wing: Wing) -> None:
    one, other, third = await meeting(wing, 3)
    state = await order(one, Action="mute", Media="audio")
    assert state["State"]["Muted"] == {other.id: ["audio"], third.id: ["audio"]}


async def test_hands(wing: Wing) -> None:
    one, other = await meeting(wing)
    await other.send("Hand", {"Raised": True}, iid="h")
    assert (await other.data("State"))["State"]["Hands"] == [other.id]
    assert (await one.data("State"))["State"]["Hands"] == [other.id]
    assert (await order(one, Action="lower", Id=other.id))["State"]["Hands"] == []


async def test_locked(wing: Wing) -> None:
    one, _ = await meeting(wing)
    assert (await order(one, Action="settings", Locked=True))["State"]["Locked"] is True
    stranger = await wing.caller()
    assert (await stranger.hello())["Code"] == "room_locked"
    await order(one, Action="admit", Id=stranger.id)
    assert (await stranger.hello())["Type"] == "Welcome"


async def test_a_limit_of_its_own(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await order(one, Action="settings", Limit=2)
    assert (await (await wing.caller()).hello())["Code"] == "room_full"


async def test_the_lobby(wing: Wing) -> None:
    one, other = await meeting(wing)
    await order(one, Action="settings", Lobby=True)
    await other.next("State")
    guest = await wing.caller()
    await guest.send("Status", {"Type": "Status", "Status": {"displayName": "Guest"}})
    waiting = await guest.hello(Extensions=["state"])
    assert waiting == {"Type": "Waiting", "Room": {"Type": "Room", "Name": "tea"}}
    (seen,) = (await one.data("State"))["State"]["Waiting"]
    assert (seen["Id"], seen["Status"]) == (guest.id, {"displayName": "Guest"})
    await other.silence()
    await guest.send("Offer", {"To": one.id, "Offer": {}})
    assert await guest.error() == "not_allowed"
    await one.send("Moderate", {"Action": "admit", "Id": guest.id}, iid="m")
    welcome = await guest.next("Welcome")
    assert welcome["Iid"] == "h"
    assert (await one.data("Joined"))["Id"] == guest.id
    assert (await one.data("State"))["State"]["Waiting"] == []


async def test_the_lobby_for_an_old_client(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await order(one, Action="settings", Lobby=True)
    guest = await wing.caller()
    assert (await guest.hello())["Code"] == "admission_required"
    assert (await one.data("State"))["State"]["Waiting"][0]["Id"] == guest.id
    await order(one, Action="admit", Id=guest.id)
    assert (await guest.hello())["Type"] == "Welcome"


async def test_denied(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await order(one, Action="settings", Lobby=True)
    guest = await wing.caller()
    await guest.hello(Extensions=["state"])
    await one.next("State")
    assert (await order(one, Action="deny", Id=guest.id))["State"]["Waiting"] == []
    assert await guest.error() == "removed"


async def test_whoever_waits_and_goes_waits_no_more(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await order(one, Action="settings", Lobby=True)
    guest = await wing.caller()
    await guest.hello(Extensions=["state"])
    await one.next("State")
    await guest.socket.close()
    assert (await one.data("State"))["State"]["Waiting"] == []


async def test_opening_the_lobby_lets_everybody_in(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await order(one, Action="settings", Lobby=True)
    guest = await wing.caller()
    await guest.hello(Extensions=["state"])
    await one.next("State")
    await one.send("Moderate", {"Action": "settings", "Lobby": False}, iid="m")
    await guest.next("Welcome")


async def test_moderators_come_and_go(wing: Wing) -> None:
    one, other, third = await meeting(wing, 3)
    assert (await order(one, Action="demote", Id=one.id))["Code"] == "not_allowed"
    assert set((await order(one, Action="promote", Id=third.id))["State"]["Moderators"]) == {one.id, third.id}
    await other.next("State")
    await third.next("State")
    await order(third, Action="demote", Id=one.id)
    assert (await one.data("State"))["State"]["Moderators"] == [third.id]
    assert (await order(one, Action="close"))["Code"] == "not_a_moderator"


async def test_the_last_moderator_has_a_successor(wing: Wing) -> None:
    one, other, third = await meeting(wing, 3)
    await one.socket.close()
    await other.next("Left")
    assert (await other.data("State"))["State"]["Moderators"] == [other.id]
    await third.next("Left")
    await third.next("State")


async def test_closed_for_everybody(wing: Wing) -> None:
    one, other = await meeting(wing)
    await one.send("Moderate", {"Action": "close", "Reason": "late"}, iid="m")
    await one.next("State")
    kinds = [(await other.next())["Data"]["Type"] for _ in range(3)]
    assert "Removed" in kinds
    assert not wing.server.directory.rooms()


async def test_an_old_client_hears_nothing_of_it(wing: Wing) -> None:
    one = await wing.caller()
    await one.hello(Extensions=["state"])
    old = await wing.caller()
    await old.hello()
    await one.next("Joined")
    await order(one, Action="mute", Id=old.id, Media="audio")
    await order(one, Action="settings", Locked=True)
    await old.silence()
