"""How many rooms there may be, and which go first."""

from __future__ import annotations

import pytest

from headgate.rooms import table
from tests.rooms.conftest import Wing


async def test_a_room_that_somebody_came_back_to_is_not_taken_away(
    wing: Wing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "ROOMS_LIMIT", 2)
    one, other = await wing.callers(2)
    await one.hello("tea")
    await one.send("Leave")
    await one.hello("tea")
    await other.hello("coffee")
    third = await wing.caller()
    assert (await third.hello("juice"))["Code"] == "too_many_rooms"
    await one.send("Users")
    assert [user["Id"] for user in (await one.data("Users"))["Users"]] == [one.id]
    await other.send("Leave")
    assert (await third.hello("juice"))["Type"] == "Welcome"
    assert {room.name for room in wing.server.directory.rooms()} == {"tea", "juice"}


async def test_breakout_rooms_are_opened_all_or_none(wing: Wing, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await wing.caller()
    await one.hello("tea", Extensions=["state"])
    monkeypatch.setattr(table, "ROOMS_LIMIT", 2)
    rooms = [{"Label": "one", "Ids": []}, {"Label": "two", "Ids": []}]
    await one.send("Moderate", {"Action": "breakout", "Rooms": rooms}, iid="m")
    assert await one.error() == "too_many_rooms"
    assert [room.name for room in wing.server.directory.rooms()] == ["tea"]
    await one.send("Moderate", {"Action": "breakout", "Rooms": rooms[:1]}, iid="m")
    assert [room["Label"] for room in (await one.data("State"))["State"]["Breakouts"]] == ["one"]
