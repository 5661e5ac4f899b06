"""Self, and the TURN credentials in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from headgate.core.errors import Refused
from headgate.core.relay_credentials import RelayCredential
from tests.rooms.conftest import Open, Wing

URIS = ["turn:t.example:3478?transport=udp"]


async def test_self(wing: Wing) -> None:
    one = await wing.caller()
    me = one.me
    assert (me["Userid"], me["Suserid"], me["Version"], me["ApiVersion"]) == ("", "", "1.2.3", 1.4)
    assert me["Turn"] == {"username": "", "password": "", "ttl": 0, "urls": None}
    assert me["Stun"] == []
    await one.send("Self", iid="s")
    envelope = await one.next("Self")
    assert (envelope["Iid"], envelope["From"], envelope["Data"]["Id"]) == ("s", one.id, one.id)


async def test_alive_comes_back_as_it_was(wing: Wing) -> None:
    one = await wing.caller()
    for value in (1, 1500000000123, "x", None, [1, {"a": True}], 1.5):
        await one.send("Alive", {"Type": "Alive", "Alive": value}, iid="a")
        envelope = await one.next("Alive")
        assert (envelope["Iid"], envelope["Data"]) == ("a", {"Type": "Alive", "Alive": value})


async def test_every_mistake_is_answered(wing: Wing) -> None:
    one = await wing.caller()
    for text in ("", "{", "[]", '{"Type":"Hello"}', '{"Type":"Chat","Chat":7}', '{"Type":"Sessions"}'):
        await one.socket.send(text)
        assert await one.error() == "bad_request"
    await one.send("Teleport", {})
    assert await one.error() == "unknown_type"
    for kind in ("Talking", "Screenshare", "Presentation", "YouTubeVideo"):
        await one.send(kind, {})
    await one.silence()


async def test_configured_turn_servers(open_rooms: Open) -> None:
    async with open_rooms(turn_uris=URIS, turn_secret="shared", stun_uris=["stun:s.example"]) as wing:
        one = await wing.caller()
        turn = one.me["Turn"]
        expires, _, name = turn["username"].partition(":")
        assert 3590 < int(expires) - time.time() <= 3600
        assert name == base64.b64encode(hashlib.sha256(one.id.encode()).digest()).decode()
        digest = hmac.digest(b"shared", turn["username"].encode(), "sha1")
        assert turn["password"] == base64.b64encode(digest).decode()
        assert (turn["ttl"], turn["urls"]) == (3600, URIS)
        assert one.me["Stun"] == ["stun:s.example"]


async def test_our_own_relay_comes_first(open_rooms: Open) -> None:
    def mint(*, user: str, ttl: float) -> RelayCredential:
        return RelayCredential(name=f"1:{user}", password="p", ttl=ttl, urls=("turn:own.example",))

    async with open_rooms(mint=mint, turn_uris=URIS, turn_secret="shared") as wing:
        one = await wing.caller()
        assert one.me["Turn"] == {
            "username": f"1:{one.id}",
            "password": "p",
            "ttl": 3600,
            "urls": ["turn:own.example"],
        }


async def test_a_relay_that_is_off(open_rooms: Open) -> None:
    def mint(*, user: str, ttl: float) -> RelayCredential:
        raise Refused("there is no relay")

    async with open_rooms(mint=mint, turn_uris=URIS, turn_secret="shared") as wing:
        assert (await wing.caller()).me["Turn"]["urls"] == URIS
