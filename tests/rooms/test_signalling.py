"""What two browsers say to each other."""

from __future__ import annotations

import json

import pytest

from tests.rooms.conftest import Wing


@pytest.mark.parametrize("kind", ["Offer", "Answer", "Candidate", "Bye"])
async def test_it_is_passed_on_whole(wing: Wing, kind: str) -> None:
    one, other = await wing.callers(2)
    payload = {"sdp": "v=0\r\n", "type": "offer", "_conference": "x", "_token": "t", "deep": [{"é": None}]}
    await one.send(kind, {"To": other.id, "Type": kind, kind: payload})
    envelope = await other.next(kind)
    assert (envelope["From"], envelope["To"]) == (one.id, other.id)
    assert envelope["A"]
    assert envelope["Data"] == {"To": other.id, "Type": kind, kind: payload}
    await one.silence()


async def test_a_bye_without_payload(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.send("Bye", {"To": other.id, "Type": "Bye"})
    assert (await other.data("Bye"))["Bye"] is None


async def test_no_room_is_needed_and_nobody_is_told(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello("tea")
    await other.hello("coffee")
    await one.send("Offer", {"To": other.id, "Offer": {}})
    assert (await other.data("Offer"))["Offer"] == {}


@pytest.mark.parametrize("to", ["nobody", "", "x" * 256])
async def test_an_unknown_target_is_an_error(wing: Wing, to: str) -> None:
    one = await wing.caller()
    await one.send("Offer", {"To": to, "Offer": {}}, iid="o")
    envelope = await one.next("Error")
    assert (envelope["Data"]["Code"], envelope["Iid"]) == ("no_such_session", "o")


async def test_an_attestation_finds_the_sender(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.send("Candidate", {"To": other.id, "Candidate": {"candidate": "c"}})
    attestation = (await other.next("Candidate"))["A"]
    body = {"Type": "Sessions", "Sessions": {"Type": "session", "Token": attestation}}
    await other.send("Sessions", body, iid="s")
    envelope = await other.next("Sessions")
    assert envelope["Iid"] == "s"
    assert envelope["Data"]["Sessions"] == {"Token": attestation, "Type": "session"}
    assert [user["Id"] for user in envelope["Data"]["Users"]] == [one.id]
    await other.send("Sessions", {"Type": "Sessions", "Sessions": {"Type": "session", "Token": "no"}})
    assert await other.error() == "bad_attestation"
    await one.socket.close()
    while len(wing.registry.sessions()) > 1:
        await other.silence()
    await other.send("Sessions", body)
    assert await other.error() == "no_such_session"


async def test_an_ad_hoc_conference_reaches_each_but_the_sender(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    ids = [one.id, other.id, third.id, "nobody"]
    await one.send("Conference", {"Id": "c1", "Type": "Conference", "Conference": ids})
    for each in (other, third):
        envelope = await each.next("Conference")
        assert envelope["From"] == one.id
        assert envelope["Data"] == {"Type": "Conference", "Id": "c1", "Conference": ids}
    await one.silence()


async def test_in_a_conference_room_the_server_decides(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello(Type="Conference")
    await one.send("Conference", {"Id": "c1", "Conference": [other.id]})
    await one.silence()
    await other.silence()


async def test_a_conference_of_too_many_is_none(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Conference", {"Id": "c1", "Conference": ["x"] * 101})
    assert await one.error() == "bad_request"


async def test_keys_are_taken_in_any_case(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.socket.send(json.dumps({"tYPE": "Offer", "OFFER": {"TO": other.id, "offer": {"Sdp": "x"}}}))
    assert (await other.data("Offer"))["Offer"] == {"Sdp": "x"}


async def test_a_conference_with_one_who_may_not_be_called_reaches_nobody(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    await one.hello(Extensions=["state"])
    await other.hello()
    await one.next("Joined")
    await one.send("Moderate", {"Action": "remove", "Id": other.id}, iid="m")
    for kind in ("Left", "State"):
        await one.next(kind)
    await other.next("Removed")
    await other.send("Conference", {"Id": "c1", "Conference": [third.id, one.id]})
    assert await other.error() == "not_allowed"
    await third.silence()
    await one.silence()
