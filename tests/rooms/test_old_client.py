"""What a client of 2017 does all day, against this server; beside others that know more."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from PIL import Image

from tests.rooms.caller import Caller
from tests.rooms.conftest import Open, Wing
from tests.rooms.old_client import OldClient
from tests.rooms.test_accounts import SHARED

NOBODY = {"displayName": None, "buddyPicture": None, "message": None}


@asynccontextmanager
async def old_clients(wing: Wing, count: int) -> AsyncIterator[list[OldClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(OldClient.connect(wing.ws)) for _ in range(count)]


async def account(wing: Wing, client: OldClient) -> str:
    """Made over REST, and shown in the channel at once. The user."""
    session = {"id": client.id, "sid": client.me["Sid"]}
    made = (await wing.http.post("/api/v1/users", json=session)).json()
    path = f"/api/v1/sessions/{client.id}/"
    shown = (await wing.http.patch(path, json={**made, **session})).json()
    assert shown["success"]
    assert shown["userid"] == made["userid"]
    await client.send("Authentication", Authentication={"Userid": shown["userid"], "Nonce": shown["nonce"]})
    assert (await client.next("Self"))["Userid"] == made["userid"]
    return str(made["userid"])


async def test_two_meet_talk_and_part(wing: Wing) -> None:
    async with old_clients(wing, 2) as (ann, bob):
        await ann.hello("tea")
        await ann.send("Status", Status=NOBODY)
        await bob.hello("tea")
        assert bob.present[ann.id]["Status"] == NOBODY
        assert (await ann.next("Joined"))["Id"] == bob.id
        await bob.send("Status", Status={**NOBODY, "displayName": "Bob"})
        assert (await ann.next("Status"))["Status"]["displayName"] == "Bob"
        await ann.send("Offer", To=bob.id, Offer={"type": "offer", "sdp": "v=0\r\n"})
        assert (await bob.next("Offer"))["Offer"]["type"] == "offer"
        await bob.send("Answer", To=ann.id, Answer={"type": "answer", "sdp": "v=0\r\n"})
        assert (await ann.next("Answer"))["Answer"]["type"] == "answer"
        candidate = {"type": "candidate", "sdpMLineIndex": 0, "sdpMid": "0", "candidate": "candidate:1"}
        for one, other in ((ann, bob), (bob, ann)):
            await one.send("Candidate", To=other.id, Candidate=candidate)
            assert (await other.next("Candidate"))["Candidate"] == candidate
        message = {"Mid": "m1", "Message": "hello", "Status": None, "NoEcho": True}
        await ann.send("Chat", To=bob.id, Chat=message)
        assert (await bob.next("Chat"))["Chat"]["Message"] == "hello"
        assert (await ann.next("Chat"))["Chat"]["Status"] == {"State": "sent"}
        await bob.send("Bye", To=ann.id, Bye={"Reason": "abort"})
        assert (await ann.next("Bye"))["Bye"] == {"Reason": "abort"}
        await bob.socket.close()
        assert (await ann.next("Left"))["Status"] == "hard"
        await ann.silence()
        assert set(ann.present) == {ann.id}


async def test_its_connection_is_lost_and_it_goes_on_as_itself(open_rooms: Open) -> None:
    """It has a PIN, an account and a picture; it comes back with its token and says everything again."""
    async with open_rooms(**SHARED) as wing, old_clients(wing, 2) as (ann, bob):
        userid = await account(wing, ann)
        await ann.hello("tea")
        room = {"Type": "Room", "Name": "tea", "Credentials": {"PIN": "1234"}}
        assert await ann.request("Room", room) == room
        assert (await bob.hello("tea"))["Code"] == "authorization_required"
        assert (await bob.hello("tea", pin="1234"))["Type"] == "Welcome"
        await ann.next("Joined")
        assert bob.present[ann.id]["Userid"] == userid
        stream = io.BytesIO()
        Image.new("RGB", (128, 128), "orange").save(stream, "JPEG")
        picture = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
        await ann.send("Status", Status={"displayName": "Ann", "buddyPicture": picture, "message": ""})
        shown = (await bob.next("Status"))["Status"]["buddyPicture"]
        assert shown.startswith("img:")
        answer = await wing.http.get(f"/static/img/buddy/s46/{shown[4:]}")
        assert answer.headers["content-type"] == "image/jpeg"
        ann.socket.transport.abort()
        assert (await bob.next("Left"))["Status"] == "hard"
        async with OldClient.connect(wing.ws, token=ann.me["Token"]) as back:
            assert [back.me[key] for key in ("Id", "Sid", "Userid", "Suserid")] == [
                ann.me[key] for key in ("Id", "Sid", "Userid", "Suserid")
            ]
            await back.hello("tea", pin="1234")
            assert (await bob.next("Joined"))["Userid"] == userid
            await bob.send("Offer", To=ann.id, Offer={"type": "offer"})
            await back.next("Offer")
            assert set(bob.present) == set(back.present) == {ann.id, bob.id}


async def test_two_become_contacts_and_find_each_other(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing, old_clients(wing, 2) as (ann, bob):
        users = [await account(wing, one) for one in (ann, bob)]

        async def say(one: OldClient, to: OldClient, contact: dict[str, Any]) -> dict[str, Any]:
            chat = {"Mid": "", "Message": "", "Status": {"ContactRequest": contact}, "NoEcho": True}
            await one.send("Chat", To=to.id, Chat=chat)
            got: dict[str, Any] = (await to.next("Chat"))["Chat"]["Status"]["ContactRequest"]
            return got

        asked = await say(ann, bob, {"Id": "r1"})
        assert asked["Userid"] == users[0]
        answered = await say(bob, ann, {"Id": "r1", "Success": True, "Token": asked["Token"]})
        assert answered["Userid"] == users[1]
        for one, other in ((ann, bob), (bob, ann)):
            wanted = {"Type": "contact", "Token": asked["Token"]}
            found = await one.request("Sessions", {"Type": "Sessions", "Sessions": wanted})
            assert [user["Id"] for user in found["Users"]] == [other.id]
        wanted = {"Type": "session", "Token": ann.attestations[bob.id]}
        found = await ann.request("Sessions", {"Type": "Sessions", "Sessions": wanted})
        assert found["Users"][0]["Userid"] == users[1]


async def test_three_upgrade_their_call(wing: Wing) -> None:
    async with old_clients(wing, 3) as (ann, bob, cat):
        ids = [one.id for one in (ann, bob, cat)]
        await ann.send("Conference", Id=f"{ann.id}1abc", Conference=ids)
        for one in (bob, cat):
            assert (await one.next("Conference"))["Conference"] == ids
        await ann.silence()


async def test_idle_for_an_hour(wing: Wing) -> None:
    """It asks for a new Self before its TURN credentials end, and says Alive when it hears nothing."""
    async with old_clients(wing, 1) as (ann,):
        first = ann.me
        for _ in range(5):
            await ann.silence()
        await ann.send("Self")
        assert (await ann.next("Self"))["Id"] == first["Id"]


async def test_beside_clients_that_know_more(wing: Wing) -> None:
    """Whatever moderators do, it hears nothing that it does not know, but for what it takes no notice of."""
    async with AsyncExitStack() as stack:
        host: Caller = await stack.enter_async_context(Caller.connect(wing.ws))
        await host.hello("tea", Extensions=["state", "resume"])
        old = await stack.enter_async_context(OldClient.connect(wing.ws))
        await old.hello("tea")
        await host.next("Joined")

        async def order(**given: object) -> None:
            await host.send("Moderate", given, iid="m")
            async with asyncio.timeout(10):
                while (await host.next()).get("Iid") != "m":
                    pass

        for media in ("audio", "video", "screen"):
            await order(Action="mute", Id=old.id, Media=media)
        await order(Action="settings", Lobby=True, Locked=True, History=True, Limit=9)
        await order(Action="settings", Lobby=False, Locked=False)
        await order(Action="promote", Id=old.id)
        await order(Action="demote", Id=old.id)
        await host.send("Hand", {"Raised": True}, iid="m")
        await old.silence()
        await order(Action="breakout", Rooms=[{"Label": "one", "Ids": [old.id]}])
        await order(Action="gather")
        wing.server.directory.announce(wing.server.directory.rooms()[0].id, "soon over")
        await old.silence()
        await order(Action="remove", Id=old.id)
        await old.silence()
        assert set(old.ignored) == {"Moved", "Announcement", "Removed"}
        assert (await old.hello("coffee"))["Type"] == "Welcome"
