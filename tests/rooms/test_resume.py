"""A connection that is lost and comes back, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from headgate.core.session import CloseReason
from tests.rooms.caller import Caller, Document
from tests.rooms.conftest import Open, Wing

BOTH = ["state", "resume"]


async def away(one: Caller, other: Caller) -> None:
    """`other` loses its connection, and `one` hears of it."""
    other.socket.transport.abort()
    assert (await one.data("State"))["State"]["Away"] == [other.id]


async def pair(wing: Wing) -> tuple[Caller, Caller, Document]:
    one, other = await wing.callers(2)
    await one.hello(Extensions=BOTH)
    welcome = await other.hello(Extensions=BOTH)
    await one.next("Joined")
    return one, other, welcome


def token(caller: Caller, **more: Any) -> dict[str, str]:
    query = "".join(f"&{key}={value}" for key, value in more.items())
    return {"query": f"?t={caller.me['Token']}{query}"}


async def test_what_was_missed_is_sent_again(wing: Wing) -> None:
    one, other, welcome = await pair(wing)
    assert welcome["Resume"] == {"Timeout": 30, "Seq": 0}
    await one.send("Offer", {"To": other.id, "Offer": {"n": 1}})
    assert (await other.data("Offer"))["Offer"] == {"n": 1}
    await away(one, other)
    for number in (2, 3):
        await one.send("Offer", {"To": other.id, "Offer": {"n": number}})
    await one.silence()
    back = await wing.caller(**token(other, seen=1))
    assert (back.id, back.me["Sid"]) == (other.id, other.me["Sid"])
    assert await back.data("Resumed") == {
        "Type": "Resumed",
        "Room": {"Type": "Room", "Name": "tea"},
        "Seq": 1,
        "Lost": 0,
    }
    assert [(await back.data("Offer"))["Offer"]["n"] for _ in range(2)] == [2, 3]
    assert (await one.data("State"))["State"]["Away"] == []
    await back.send("Chat", {"To": "", "Chat": {"Message": "here again", "NoEcho": True}})
    assert (await one.data("Chat"))["Chat"]["Message"] == "here again"


async def test_before_the_server_knows_that_the_old_socket_is_dead(wing: Wing) -> None:
    one, other, _ = await pair(wing)
    await one.send("Offer", {"To": other.id, "Offer": {"n": 1}})
    await one.silence()
    back = await wing.caller(**token(other, seen=0))
    await back.next("Resumed")
    assert (await back.data("Offer"))["Offer"] == {"n": 1}
    kinds = [(await one.next())["Data"]["Type"]]
    assert kinds == ["State"]
    assert len(wing.registry.sessions()) == 2


async def test_who_says_goodbye_is_gone_at_once(wing: Wing) -> None:
    one, other, _ = await pair(wing)
    await other.socket.close()
    assert (await one.data("Left"))["Status"] == "hard"


async def test_a_client_that_gives_up_a_dead_socket_may_come_back(wing: Wing) -> None:
    """Its close frame comes when the network does, with a code of its own, and before the client itself."""
    one, other, _ = await pair(wing)
    await other.socket.close(4000)
    assert (await one.data("State"))["State"]["Away"] == [other.id]
    back = await wing.caller(**token(other, seen=0))
    await back.next("Resumed")
    assert (await one.data("State"))["State"]["Away"] == []


async def test_who_does_not_come_back_is_gone(open_rooms: Open) -> None:
    async with open_rooms(resume_timeout=0.5) as wing:
        one, other, _ = await pair(wing)
        await away(one, other)
        assert (await one.data("Left"))["Status"] == "hard"
        assert len(wing.registry.sessions()) == 1
        back = await wing.caller(**token(other, seen=0))
        assert back.id == other.id
        assert (await back.hello())["Type"] == "Welcome"


async def test_who_is_here_already_comes_back_where_nobody_else_is_let_in(open_rooms: Open) -> None:
    async with open_rooms(max_sessions=2) as wing:
        one, other, _ = await pair(wing)
        for full in (lambda: None, wing.registry.drain):
            full()
            await away(one, other)
            with pytest.raises(InvalidStatus) as caught:
                await wing.caller()
            assert caught.value.response.status_code == 503
            other = await wing.caller(**token(other, seen=0))
            await other.next("Resumed")
            assert (await one.data("State"))["State"]["Away"] == []


async def test_a_kick_of_one_who_is_away(wing: Wing) -> None:
    one, other, _ = await pair(wing)
    await away(one, other)
    (session,) = [s for s in wing.registry.sessions() if getattr(s, "public_id", "") == other.id]
    wing.registry.close(session, CloseReason.KICKED)
    assert (await one.data("Left"))["Id"] == other.id


async def test_an_old_client_that_takes_over_says_hello_again(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    back = await wing.caller(**token(other))
    assert back.id == other.id
    with pytest.raises(ConnectionClosedError) as caught:
        await other.next()
    assert caught.value.rcvd is None, "it is cut, without a word"
    await one.silence()
    await back.hello()
    assert (await one.data("Joined"))["Id"] == other.id
    await one.send("Users")
    assert len((await one.data("Users"))["Users"]) == 2


async def test_a_token_restores_a_session_that_is_over(wing: Wing) -> None:
    other = await wing.caller()
    await other.socket.close()
    back = await wing.caller(**token(other))
    assert (back.id, back.me["Sid"]) == (other.id, other.me["Sid"])
    assert back.me["Token"]


async def test_a_bad_token_is_a_fresh_session(wing: Wing) -> None:
    other = await wing.caller()
    for query in ("?t=garbage", "?t=", f"?t={other.me['Token']}x", "?t=" + "A" * 5000, "?seen=-1", "?t=%00"):
        fresh = await wing.caller(query=query)
        assert fresh.id != other.id
