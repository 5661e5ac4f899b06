"""`/rooms` of the operator's listener."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from headgate.api.app import build
from headgate.core.errors import NotFound, Refused
from headgate.core.room_directory import ParticipantView, RoomView
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import CloseReason
from tests.api.house import LONG_AGO, House, Visitor

TEA = RoomView(
    id="R2QZS4HF27C4L",
    type="Room",
    name="tea",
    created=LONG_AGO,
    participants=1,
    waiting=0,
    locked=False,
    lobby=True,
    limit=0,
    pin=True,
    keep=False,
)


class Directory:
    """One room, with one visitor in it."""

    def __init__(self, house: House) -> None:
        service = house.add_service("Rooms", Protocol.ROOMS, port=8080)
        here = Endpoint("127.0.0.1", 8080)
        self.visitor = house.registry.open(
            lambda id, created: Visitor(id=id, created=created, service=service, remote=here, local=here)
        )
        self.closed: list[str] = []
        self.opened: dict[str, Any] = {}
        self.told: list[str] = []

    def rooms(self) -> Sequence[RoomView]:
        return [TEA]

    def room(self, id: str) -> RoomView:
        if id != TEA.id:
            raise NotFound("room not found")
        return TEA

    def participants(self, id: str) -> Sequence[ParticipantView]:
        self.room(id)
        one = ParticipantView(id="Id", userid="ann", session=self.visitor.id, moderator=True, away=False)
        return [one]

    def open(self, **given: Any) -> RoomView:
        if given["name"] == TEA.name:
            raise Refused("room already exists")
        self.opened = given
        return dataclasses.replace(TEA, name=given["name"])

    def close(self, id: str, *, reason: str) -> None:
        self.room(id)
        self.closed.append(reason)

    def announce(self, id: str, message: str) -> int:
        self.room(id)
        self.told.append(message)
        return 1

    def counts(self) -> Mapping[str, int]:
        return {"rooms": 1, "errors_total": 2}


@pytest.fixture
def directory(house: House) -> Directory:
    directory = Directory(house)
    house.view = dataclasses.replace(house.view, rooms=directory)
    house.app = build(house.view)
    return directory


async def test_listed(directory: Directory, operator: httpx.AsyncClient) -> None:
    body = (await operator.get("/rooms")).json()
    assert body["itemCount"] == 1
    assert body["items"][0] == {
        **dataclasses.asdict(TEA),
        "created": LONG_AGO.isoformat().replace("+00:00", "Z"),
    }
    assert (await operator.get("/rooms?name=coffee")).json()["items"] == []


async def test_one(directory: Directory, operator: httpx.AsyncClient) -> None:
    (member,) = (await operator.get(f"/rooms/{TEA.id}")).json()["members"]
    assert (member["id"], member["userid"], member["moderator"]) == ("Id", "ann", True)
    assert member["session"] == directory.visitor.id.number
    assert (await operator.get("/rooms/nothing")).status_code == 404


async def test_kicked(directory: Directory, operator: httpx.AsyncClient) -> None:
    path = f"/rooms/{TEA.id}/participants/"
    assert (await operator.delete(path + "999")).status_code == 404
    assert (await operator.delete(path + "x")).status_code == 400
    assert (await operator.delete(path + str(directory.visitor.id.number))).status_code == 200
    assert directory.visitor.ends == [CloseReason.KICKED]


async def test_opened(directory: Directory, operator: httpx.AsyncClient) -> None:
    answer = await operator.post("/rooms", json={"name": "coffee", "pin": "1", "keep": True})
    assert answer.json()["name"] == "coffee"
    assert directory.opened == {
        "type": "Room",
        "name": "coffee",
        "pin": "1",
        "limit": 0,
        "lobby": False,
        "locked": False,
        "keep": True,
    }
    wrong = ({"name": 7}, {"name": "a\nb"}, {"name": "x", "limit": -1}, {"name": "x", "y": 1})
    for bad in ({"name": "tea"}, {}, *wrong):
        assert (await operator.post("/rooms", json=bad)).status_code == 400, bad


async def test_closed_and_told(directory: Directory, operator: httpx.AsyncClient) -> None:
    assert (await operator.post(f"/rooms/{TEA.id}/messages", json={"message": "soon"})).json() == {"told": 1}
    assert (await operator.delete(f"/rooms/{TEA.id}?reason=late")).json()["name"] == "tea"
    assert (directory.told, directory.closed) == (["soon"], ["late"])
    assert (await operator.post(f"/rooms/{TEA.id}/messages", json={})).status_code == 400


async def test_counted(directory: Directory, operator: httpx.AsyncClient) -> None:
    text = (await operator.get("/metrics")).text
    assert "headgate_rooms_rooms 1" in text
    assert "headgate_rooms_errors_total 2" in text


async def test_where_there_are_none(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/rooms")).status_code == 404
