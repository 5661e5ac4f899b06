"""Breakout rooms."""

from __future__ import annotations

from tests.rooms.conftest import Wing
from tests.rooms.test_moderation import meeting, order


async def test_there_and_back(wing: Wing) -> None:
    one, other, third = await meeting(wing, 3)
    rooms = [{"Label": "left", "Ids": [other.id]}, {"Label": "right", "Ids": []}]
    await one.send("Moderate", {"Action": "breakout", "Rooms": rooms}, iid="m")
    state = (await one.data("State"))["State"]
    assert state["Breakouts"] == [
        {"Name": "tea/left", "Label": "left", "Ids": [other.id], "Present": 0},
        {"Name": "tea/right", "Label": "right", "Ids": [], "Present": 0},
    ]
    moved = await other.data("Moved")
    assert moved["Room"] == {"Type": "Room", "Name": "tea/left"}
    await third.next("State")
    assert (await third.hello("tea/left", Extensions=["state"]))["Code"] == "not_invited"
    await other.next("State")
    await other.next("Left")
    welcome = await other.hello("tea/left", Extensions=["state"])
    assert welcome["State"]["Parent"] == {"Type": "Room", "Name": "tea"}
    assert welcome["State"]["Moderators"] == []
    present = 0
    while not present:
        told = (await one.next())["Data"]
        present = told["State"]["Breakouts"][0]["Present"] if told["Type"] == "State" else 0
    await one.send("Moderate", {"Action": "gather"}, iid="m")
    assert (await other.data("Moved"))["Room"] == {"Type": "Room", "Name": "tea"}
    assert (await other.hello(Extensions=["state"]))["Type"] == "Welcome"


async def test_opened_again_after_they_were_gathered(wing: Wing) -> None:
    one, other = await meeting(wing)
    rooms = [{"Label": "x", "Ids": [other.id]}]
    for given in ({"Action": "breakout", "Rooms": rooms}, {"Action": "gather"}):
        assert (await order(one, **given))["Type"] == "State"
        await other.next()
    assert (await order(one, Action="breakout", Rooms=rooms))["Type"] == "State"
    await other.send("Hello", {"Name": "tea/x", "Extensions": ["state"]}, iid="h")
    while (envelope := await other.next()).get("Iid") != "h":
        pass
    assert envelope["Data"]["Type"] == "Welcome"


async def test_a_moderator_may_look_in(wing: Wing) -> None:
    one, other = await meeting(wing)
    await one.send("Moderate", {"Action": "breakout", "Rooms": [{"Label": "x", "Ids": [other.id]}]}, iid="m")
    await one.next("State")
    await one.send("Hello", {"Name": "tea/x", "Extensions": ["state"]}, iid="h")
    while (envelope := await one.next())["Data"]["Type"] != "Welcome":
        pass
    assert envelope["Data"]["State"]["Moderators"] == [one.id]


async def test_breakout_rooms_have_none(wing: Wing) -> None:
    one, _ = await meeting(wing)
    await one.send("Moderate", {"Action": "breakout", "Rooms": [{"Label": "x", "Ids": [one.id]}]}, iid="m")
    await one.next("Moved")
    await one.next("State")
    await one.send("Hello", {"Name": "tea/x", "Extensions": ["state"]}, iid="h")
    await one.next("Welcome")
    given = {"Action": "breakout", "Rooms": [{"Label": "y", "Ids": []}]}
    assert (await order(one, **given))["Code"] == "not_allowed"


async def test_a_room_of_that_name_is_not_taken(wing: Wing) -> None:
    stranger = await wing.caller()
    await stranger.hello("tea/x")
    one, other = await meeting(wing)
    given = {"Action": "breakout", "Rooms": [{"Label": "x", "Ids": [other.id]}]}
    assert (await order(one, **given))["Code"] == "not_allowed"
    assert (await order(one, Action="gather"))["Type"] == "State"
