"""Chat: to one, or to everybody in the room."""

from __future__ import annotations

import re

from tests.rooms.conftest import Open, Wing


async def test_to_the_room_with_an_echo(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    await one.send("Chat", {"Type": "Chat", "To": "", "Chat": {"Message": "hello", "Mid": "m1", "Extra": 1}})
    echo, heard = await one.next("Chat"), await other.next("Chat")
    assert echo["To"] == one.id
    assert "To" not in heard
    assert heard["From"] == one.id
    assert heard["Data"] == echo["Data"]
    chat = heard["Data"]["Chat"]
    assert chat["Message"] == "hello"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", chat["Time"])
    assert set(chat) == {"Message", "Time", "Mid"}
    await one.silence()


async def test_to_one_it_is_sent(wing: Wing) -> None:
    one, other = await wing.callers(2)
    chat = {"Message": None, "NoEcho": True, "Mid": "m1"}
    await one.send("Chat", {"To": other.id, "Chat": chat})
    envelope = await other.next("Chat")
    assert (envelope["From"], envelope["To"]) == (one.id, other.id)
    assert envelope["Data"]["Chat"]["Message"] == ""
    sent = (await one.data("Chat"))["Chat"]
    assert (sent["Mid"], sent["Status"]) == ("m1", {"State": "sent"})
    await one.silence()


async def test_what_status_may_have(wing: Wing) -> None:
    one, other = await wing.callers(2)
    status = {
        "Typing": "start",
        "SeenMids": ["a", "b"],
        "FileInfo": {"id": "f", "chunks": 3, "name": "n", "size": 5_000_000, "type": "t", "more": 1},
        "Geolocation": {"latitude": 48.1, "longitude": 9.2},
        "AutoCall": {"Id": "x", "Type": "y"},
        "Unknown": True,
    }
    await one.send("Chat", {"To": other.id, "Chat": {"NoEcho": True, "Status": status}})
    got = (await other.data("Chat"))["Chat"]["Status"]
    assert set(got) == set(status) - {"Unknown"}
    assert "more" not in got["FileInfo"]
    assert got["Geolocation"]["altitude"] == 0


async def test_delivered_and_read(wing: Wing) -> None:
    """Before any Hello, as every Id can be written to."""
    one, other = await wing.callers(2)
    await one.send("Chat", {"To": other.id, "Chat": {"Message": "hello", "Mid": "m1", "NoEcho": True}})
    await other.next("Chat")
    assert (await one.data("Chat"))["Chat"]["Status"] == {"State": "sent"}
    for status in ({"Mid": "m1", "State": "delivered"}, {"SeenMids": ["m1"]}, {"Typing": "stop"}):
        await other.send("Chat", {"To": one.id, "Chat": {"NoEcho": True, "Status": status}})
        envelope = await one.next("Chat")
        assert (envelope["From"], envelope["Data"]["Chat"]["Status"]) == (other.id, status)
    await other.silence()


async def test_without_a_room_or_a_target(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Chat", {"To": "", "Chat": {"Message": "hello"}})
    assert await one.error() == "not_in_room"
    await one.send("Chat", {"To": "nobody", "Chat": {"Message": "hello", "Mid": "m"}})
    assert await one.error() == "no_such_session"
    await one.silence()


async def test_messages_are_counted(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await one.send("Chat", {"To": "", "Chat": {"Message": "1", "NoEcho": True}})
    await one.send("Chat", {"To": other.id, "Chat": {"Message": "2", "NoEcho": True}})
    await one.send("Chat", {"To": other.id, "Chat": {"NoEcho": True, "Status": {"Typing": "start"}}})
    await one.silence()
    counts = wing.server.hub.counts
    assert (counts.broadcast_chats, counts.unicast_chats) == (1, 1)


async def test_history_by_choice(open_rooms: Open) -> None:
    async with open_rooms(history_limit=2) as wing:
        one, other = await wing.callers(2)
        await one.hello(Extensions=["state"])
        await one.send("Chat", {"To": "", "Chat": {"Message": "before", "NoEcho": True}})
        await one.send("Moderate", {"Action": "settings", "History": True}, iid="m")
        assert (await one.data("State"))["State"]["History"] is True
        for text in ("1", "2", "3"):
            await one.send("Chat", {"To": "", "Chat": {"Message": text, "NoEcho": True}})
        await one.silence()
        await other.hello()
        await one.next("Joined")
        await other.send("History", iid="y")
        envelope = await other.next("History")
        assert envelope["Iid"] == "y"
        assert [(m["From"], m["Message"]) for m in envelope["Data"]["Messages"]] == [
            (one.id, "2"),
            (one.id, "3"),
        ]
        await one.send("Moderate", {"Action": "settings", "History": False}, iid="m")
        await one.next("State")
        await other.send("History")
        assert (await other.data("History"))["Messages"] == []


async def test_a_server_may_keep_none(open_rooms: Open) -> None:
    async with open_rooms(history_limit=0) as wing:
        one = await wing.caller()
        await one.hello(Extensions=["state"])
        await one.send("Moderate", {"Action": "settings", "History": True}, iid="m")
        assert await one.error() == "not_allowed"
