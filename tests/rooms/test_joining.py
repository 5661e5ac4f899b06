"""Into a room, out of it, and its PIN: rule by rule, over real sockets."""

from __future__ import annotations

import pytest

from tests.rooms.conftest import Open, Wing
from tests.rooms.test_accounts import SHARED, login


async def test_hello_is_answered_with_everybody_and_the_others_hear_first(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.send("Hello", {"Name": "tea", "Ua": "Other 2"}, iid="7")
    joined = await one.next("Joined")
    assert joined["From"] == other.id
    assert joined["A"]
    assert "To" not in joined
    assert joined["Data"] == {"Type": "Joined", "Id": other.id, "Ua": "Other 2", "Prio": 100}
    welcome = await other.next("Welcome")
    assert (welcome["From"], welcome["Iid"]) == (other.id, "7")
    assert "A" not in welcome
    data = welcome["Data"]
    assert data["Room"] == {"Type": "Room", "Name": "tea", "Credentials": None}
    assert data["Users"] == [
        {"Type": "Online", "Id": one.id, "Ua": "Test 1", "Rev": 1, "Prio": 100},
        {"Type": "Online", "Id": other.id, "Ua": "Other 2", "Rev": 1, "Prio": 100},
    ]
    assert set(data) == {"Type", "Room", "Users"}, "an old client is sent nothing new"


async def test_a_second_hello_leaves_the_former_room(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    await other.hello("coffee")
    left = await one.next("Left")
    assert left["Data"] == {"Type": "Left", "Id": other.id, "Status": "soft"}


async def test_a_refused_hello_leaves_the_former_room_and_tells_the_new_one_nothing(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    await one.hello()
    await third.hello("locked", Credentials={"PIN": "1"})
    await other.hello()
    await one.next("Joined")
    assert (await other.hello("locked"))["Code"] == "authorization_required"
    assert (await one.data("Left"))["Id"] == other.id
    await third.silence()
    await other.send("Users")
    assert await other.error() == "not_in_room"


async def test_a_refused_hello_to_the_own_room_leaves_no_ghost(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    assert (await other.hello(Credentials={"PIN": "x"}))["Code"] == "authorization_not_required"
    await one.next("Left")
    await one.send("Users")
    assert [user["Id"] for user in (await one.data("Users"))["Users"]] == [one.id]


async def test_hello_again_to_the_same_room(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    assert len((await other.hello())["Users"]) == 2
    assert (await one.data("Joined"))["Id"] == other.id


async def test_leave_is_told_and_not_answered(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    await other.send("Leave")
    assert (await one.data("Left"))["Status"] == "soft"
    await other.silence()


async def test_a_closed_socket_is_a_hard_left(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    await other.socket.close()
    assert (await one.data("Left"))["Status"] == "hard"
    await one.send("Users")
    assert len((await one.data("Users"))["Users"]) == 1


async def test_a_lost_socket_is_a_hard_left(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    other.socket.transport.abort()
    assert (await one.data("Left"))["Status"] == "hard"


async def test_the_pin(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello(Credentials={"PIN": "1234"})
    assert (await other.hello())["Code"] == "authorization_required"
    assert (await other.hello(Credentials={"PIN": "9"}))["Code"] == "invalid_credentials"
    assert (await other.hello(Credentials={"PIN": "1234"}))["Type"] == "Welcome"


async def test_an_empty_pin_for_a_new_room_is_refused(wing: Wing) -> None:
    one = await wing.caller()
    assert (await one.hello(Credentials={"PIN": ""}))["Code"] == "authorization_not_required"


async def test_update_sets_keeps_and_clears_the_pin(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    await one.send("Room", {"Type": "Room", "Name": "tea", "Credentials": {"PIN": "1"}}, iid="r")
    reply = await one.next("Room")
    assert (reply["Iid"], reply["From"]) == ("r", one.id)
    assert reply["Data"] == {"Type": "Room", "Name": "tea", "Credentials": {"PIN": "1"}}
    assert (await other.next("Room"))["Data"] == reply["Data"]
    await one.send("Room", {"Type": "", "Name": "tea"}, iid="r")
    assert (await one.data("Room"))["Credentials"] is None
    assert (await third.hello())["Code"] == "authorization_required"
    await one.send("Room", {"Name": "tea", "Credentials": {"PIN": ""}}, iid="r")
    await one.next("Room")
    assert (await third.hello())["Type"] == "Welcome"


async def test_other_rooms_cannot_be_updated(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Room", {"Name": "tea"})
    assert await one.error() == "not_in_room"
    await one.hello()
    await one.send("Room", {"Name": "coffee"})
    assert await one.error() == "not_in_room"
    await one.send("Room", {"Name": "tea", "Type": "Conference"})
    assert await one.error() == "not_in_room"


async def test_rooms_of_another_type_are_other_rooms(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    assert len((await other.hello(Type="Conference"))["Users"]) == 1
    await one.silence()


async def test_a_conference_is_told_who_is_there(open_rooms: Open) -> None:
    async with open_rooms(room_types={"^meeting-": "Conference"}) as wing:
        one, other = await wing.callers(2)
        welcome = await one.hello("meeting-1")
        assert welcome["Room"]["Type"] == "Conference"
        await one.silence()
        await other.hello("meeting-1")
        await one.next("Joined")
        envelope = await one.next("Conference")
        assert envelope == await other.next("Conference")
        assert envelope["To"] == "Conference:meeting-1"
        assert "From" not in envelope
        assert envelope["Data"]["Id"] == "Conference:meeting-1"
        assert set(envelope["Data"]["Conference"]) == {one.id, other.id}
        await other.send("Leave")
        await one.next("Left")
        await one.silence()


async def test_an_update_of_a_conference_is_a_room_document(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello(Type="Conference")
    await other.hello(Type="Conference")
    for kind in ("Joined", "Conference"):
        await one.next(kind)
    await one.send("Room", {"Type": "Conference", "Name": "tea", "Credentials": {"PIN": "1"}})
    assert (await one.data("Room"))["Type"] == "Room"
    await one.next("Conference")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"default_room_enabled": False}, "default_room_disabled"),
        ({"authorize_room_join": True, "users": {"enabled": True}}, "room_join_requires_account"),
        ({"authorize_room_creation": True, "users": {"enabled": True}}, "room_join_requires_account"),
    ],
)
async def test_what_the_configuration_forbids(
    open_rooms: Open, settings: dict[str, object], code: str
) -> None:
    async with open_rooms(**settings) as wing:
        one = await wing.caller()
        assert (await one.hello(""))["Code"] == code


async def test_without_accounts_they_are_not_asked_for(open_rooms: Open) -> None:
    async with open_rooms(authorize_room_join=True) as wing:
        assert (await (await wing.caller()).hello())["Type"] == "Welcome"


async def test_the_global_room_is_everywhere(open_rooms: Open) -> None:
    async with open_rooms(global_room="lounge") as wing:
        one, other = await wing.callers(2)
        await one.hello("tea")
        await other.hello("lounge")
        assert (await one.data("Joined"))["Id"] == other.id
        await one.send("Users")
        assert {user["Id"] for user in (await one.data("Users"))["Users"]} == {one.id, other.id}


async def test_what_is_said_in_the_global_room_is_heard_everywhere(open_rooms: Open) -> None:
    async with open_rooms(global_room="lounge") as wing:
        one, other, outside = await wing.callers(3)
        await one.hello("tea")
        await other.hello("lounge")
        await one.next("Joined")
        await other.send("Chat", {"To": "", "Chat": {"Message": "hear", "NoEcho": True}})
        assert (await one.data("Chat"))["Chat"]["Message"] == "hear"
        await other.send("Status", {"Type": "Status", "Status": "here"})
        assert (await one.data("Status"))["Id"] == other.id
        await one.send("Chat", {"To": "", "Chat": {"Message": "quietly", "NoEcho": True}})
        await one.silence()
        await other.silence()
        await outside.silence()
        await other.send("Leave")
        assert (await one.data("Left"))["Id"] == other.id


async def test_only_users_make_rooms_and_guests_come_later(open_rooms: Open) -> None:
    async with open_rooms(**SHARED, authorize_room_creation=True) as wing:
        guest, user = await wing.caller(), await login(wing, "ann")
        assert (await guest.hello())["Code"] == "room_join_requires_account"
        assert not wing.server.directory.rooms()
        assert (await user.hello())["Type"] == "Welcome"
        assert (await guest.hello())["Type"] == "Welcome"


async def test_only_users_join_rooms(open_rooms: Open) -> None:
    async with open_rooms(**SHARED, authorize_room_join=True) as wing:
        guest, user = await wing.caller(), await login(wing, "ann")
        assert (await user.hello())["Type"] == "Welcome"
        assert (await guest.hello())["Code"] == "room_join_requires_account"
        await user.silence()


async def test_in_which_order_a_hello_is_looked_at(open_rooms: Open) -> None:
    """Each reason is in the way of all that follow it."""
    settings = {**SHARED, "default_room_enabled": False, "authorize_room_join": True}
    async with open_rooms(**settings) as wing:
        guest, ann, bob = await wing.caller(), await login(wing, "ann"), await login(wing, "bob")
        assert (await guest.hello(""))["Code"] == "default_room_disabled"
        await ann.hello("tea", Credentials={"PIN": "1"}, Extensions=["state"])
        assert (await guest.hello("tea"))["Code"] == "room_join_requires_account"
        await bob.hello("tea", Credentials={"PIN": "1"})
        await ann.next("Joined")

        async def order(**given: object) -> None:
            await ann.send("Moderate", given, iid="m")
            while (await ann.next()).get("Iid") != "m":
                pass

        await order(Action="settings", Limit=1, Lobby=True, Locked=True)
        await order(Action="remove", Id=bob.id)
        await bob.next("Removed")
        assert (await bob.hello("tea"))["Code"] == "authorization_required"
        assert (await bob.hello("tea", Credentials={"PIN": "2"}))["Code"] == "invalid_credentials"
        right = {"Credentials": {"PIN": "1"}}
        assert (await bob.hello("tea", **right))["Code"] == "removed"
        late = await login(wing, "cat")
        assert (await late.hello("tea", **right))["Code"] == "room_locked"
        await order(Action="settings", Locked=False)
        assert (await late.hello("tea", **right))["Code"] == "room_full"
        await order(Action="settings", Limit=0)
        assert (await late.hello("tea", **right))["Code"] == "admission_required"


async def test_a_type_of_ones_own_makes_a_room_of_its_own(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    assert (await one.hello(Type="Party"))["Room"] == {"Type": "Party", "Name": "tea", "Credentials": None}
    assert len((await other.hello())["Users"]) == 1
    assert len((await third.hello(Type="Room"))["Users"]) == 2
    await one.silence()


async def test_what_is_said_in_a_room_comes_in_order(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    for number in range(15):
        await one.send("Chat", {"To": "", "Chat": {"Message": str(number), "NoEcho": True}})
    heard = [(await other.data("Chat"))["Chat"]["Message"] for _ in range(15)]
    assert heard == [str(number) for number in range(15)]


async def test_a_room_has_a_limit(open_rooms: Open) -> None:
    async with open_rooms(room_limit=1) as wing:
        one, other = await wing.callers(2)
        await one.hello()
        assert (await other.hello())["Code"] == "room_full"
        assert (await one.hello())["Type"] == "Welcome"


@pytest.mark.parametrize("name", ["a" * 256, "line\nbreak", "nul\0", 7, ["tea"], {"a": 1}])
async def test_names_that_are_none(wing: Wing, name: object) -> None:
    one = await wing.caller()
    await one.send("Hello", {"Name": name}, iid="x")
    envelope = await one.next("Error")
    assert (envelope["Data"]["Code"], envelope["Iid"]) == ("bad_request", "x")
    assert not wing.server.directory.rooms()


@pytest.mark.parametrize(
    "name", ["%s%n", "../../etc", "'; DROP TABLE rooms;--", "$(id)", "a.b.*.>", "тайна 🫖"]
)
async def test_names_stay_what_they_are(wing: Wing, name: str) -> None:
    one = await wing.caller()
    assert (await one.hello(name))["Room"]["Name"] == name
    assert [room.name for room in wing.server.directory.rooms()] == [name]


async def test_the_old_name_of_the_name(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Hello", {"Id": "tea"})
    assert (await one.data("Welcome"))["Room"]["Name"] == "tea"


async def test_users_need_a_room(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Users", iid="u")
    assert await one.error() == "not_in_room"
    await one.hello()
    await one.send("Users", iid="u")
    envelope = await one.next("Users")
    assert (envelope["Iid"], len(envelope["Data"]["Users"])) == ("u", 1)
