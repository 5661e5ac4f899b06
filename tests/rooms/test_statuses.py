"""Status: stored, counted, told to the others, and shown to who comes later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rooms.caller import Caller
from tests.rooms.conftest import Wing


async def pair(wing: Wing) -> tuple[Caller, Caller]:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    return one, other


async def shown(caller: Caller, own: str) -> dict[str, Any]:
    """The session object of somebody in the list of users."""
    await caller.send("Users")
    (found,) = [user for user in (await caller.data("Users"))["Users"] if user["Id"] == own]
    return dict(found)


@pytest.mark.parametrize("status", ["here", 7, 1.5, True, [1, {"a": None}], {"displayName": "Ö 🫖"}, {}])
async def test_any_value_is_stored_and_told_to_the_others(wing: Wing, status: object) -> None:
    one, other = await pair(wing)
    await one.send("Status", {"Type": "Status", "Status": status})
    envelope = await other.next("Status")
    assert (envelope["From"], "To" in envelope, bool(envelope["A"])) == (one.id, False, True)
    assert envelope["Data"] == {"Type": "Status", "Id": one.id, "Status": status, "Rev": 2, "Prio": 100}
    await one.silence()
    assert (await shown(other, one.id))["Status"] == status
    third = await wing.caller()
    welcome = await third.hello()
    assert [user.get("Status") for user in welcome["Users"]] == [status, None, None]


async def test_null_takes_it_back(wing: Wing) -> None:
    one, other = await pair(wing)
    for status in ({"displayName": "One"}, None):
        await one.send("Status", {"Type": "Status", "Status": status})
        assert (await other.data("Status"))["Status"] == status
    assert "Status" not in await shown(other, one.id)


async def test_who_comes_shows_what_was_said_before(wing: Wing) -> None:
    """The old client sends its status a second after it has connected, wherever it is by then."""
    one, other = await wing.callers(2)
    await one.hello()
    await other.send("Status", {"Type": "Status", "Status": {"displayName": "Other"}})
    await other.hello()
    joined = await one.data("Joined")
    assert joined["Status"] == {"displayName": "Other"}


async def test_every_change_is_counted_and_a_refused_hello_is_one(wing: Wing) -> None:
    one, other = await pair(wing)
    await other.send("Status", {"Status": "a"})
    assert (await one.data("Status"))["Rev"] == 2
    assert (await other.hello(Credentials={"PIN": "x"}, Ua="Other 2"))["Type"] == "Error"
    await one.next("Left")
    await other.hello(Ua="")
    joined = await one.data("Joined")
    assert (joined["Ua"], joined["Status"]) == ("Other 2", "a")
    assert (await shown(one, other.id))["Rev"] == 4
