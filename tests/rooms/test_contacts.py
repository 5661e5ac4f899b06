"""Contacts between users."""

from __future__ import annotations

from typing import Any

from tests.rooms.caller import Caller
from tests.rooms.conftest import Open
from tests.rooms.test_accounts import SHARED, login


async def ask(sender: Caller, to: Caller, **contact: Any) -> None:
    status = {"ContactRequest": contact}
    await sender.send("Chat", {"To": to.id, "Chat": {"NoEcho": True, "Status": status}})


async def received(caller: Caller) -> dict[str, Any]:
    contact: dict[str, Any] = (await caller.data("Chat"))["Chat"]["Status"]["ContactRequest"]
    return contact


async def test_asked_accepted_and_found_later(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        await ask(ann, bob, Id="r1")
        request = await received(bob)
        assert (request["Id"], request["Userid"], request["Success"]) == ("r1", "ann", False)
        await ask(bob, ann, Id="r1", Success=True, Token=request["Token"])
        accepted = await received(ann)
        assert accepted == {"Id": "r1", "Success": True, "Userid": "bob", "Token": request["Token"]}
        body = {"Type": "Sessions", "Sessions": {"Type": "contact", "Token": request["Token"]}}
        await ann.send("Sessions", body, iid="s")
        (found,) = (await ann.data("Sessions"))["Users"]
        assert (found["Id"], found["Userid"]) == (bob.id, "bob")
        await bob.socket.close()
        left = await ann.data("Left")
        assert (left["Id"], left["Status"]) == (bob.id, "hard")
        await ann.silence()
        await ann.send("Sessions", body)
        (offline,) = (await ann.data("Sessions"))["Users"]
        assert (offline["Userid"], offline["Prio"]) == ("bob", 100)
        await ann.send("Offer", {"To": offline["Id"], "Offer": {}})
        assert await ann.error() == "no_such_session"


async def test_every_session_of_a_contact_is_found_the_oldest_first(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        again = [await login(wing, "bob") for _ in range(3)]
        await ask(ann, bob, Id="r1")
        token = (await received(bob))["Token"]
        body = {"Type": "Sessions", "Sessions": {"Type": "contact", "Token": token}}
        await ann.send("Sessions", body)
        found = (await ann.data("Sessions"))["Users"]
        assert [user["Id"] for user in found] == [bob.id, *(one.id for one in again)]
        await ann.send("Offer", {"To": again[0].id, "Offer": {}})
        await again[0].next("Offer")


async def test_in_the_same_room_left_is_told_once(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        await ann.hello()
        await bob.hello()
        await ann.next("Joined")
        await ask(ann, bob, Id="r1")
        token = (await received(bob))["Token"]
        await ann.send("Sessions", {"Type": "Sessions", "Sessions": {"Type": "contact", "Token": token}})
        await ann.next("Sessions")
        await bob.socket.close()
        await ann.next("Left")
        await ann.silence()


async def test_declined(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        await ask(ann, bob, Id="r1")
        token = (await received(bob))["Token"]
        await ask(bob, ann, Id="r1", Success=False, Token=token)
        assert await received(ann) == {"Id": "r1", "Success": False, "Userid": "bob"}


async def test_who_may_not(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        guest, again = await wing.caller(), await login(wing, "ann")
        for sender, to in ((guest, ann), (ann, guest), (ann, again)):
            await ask(sender, to, Id="r1")
            assert await sender.error() == "not_allowed"
        await ask(ann, bob, Id="r1")
        token = (await received(bob))["Token"]
        await ask(ann, bob, Id="r1", Success=True, Token=token)
        assert await ann.error() == "not_allowed", "the asker cannot accept for the other"
        for caller, given in ((guest, token), (bob, "garbage"), (bob, token + "x")):
            body = {"Type": "Sessions", "Sessions": {"Type": "contact", "Token": given}}
            await caller.send("Sessions", body)
            assert await caller.error() == "invalid_contact"


async def test_switched_off(open_rooms: Open) -> None:
    async with open_rooms(**SHARED, modules={"contacts": False}) as wing:
        ann, bob = await login(wing, "ann"), await login(wing, "bob")
        await ask(ann, bob, Id="r1")
        assert await ann.error() == "not_allowed"
        await ann.send("Sessions", {"Type": "Sessions", "Sessions": {"Type": "contact", "Token": "x"}})
        assert await ann.error() == "contacts_not_enabled"
