"""The rooms wing within a whole server: kicks, changes, restarts, the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed

from headgate.cli import main
from headgate.core.config import Startup
from headgate.core.events import SessionClosed
from headgate.core.session import CloseReason, Session
from headgate.server import Server
from tests.rooms.caller import Caller

Kick = Callable[["House", Session, str], Awaitable[None]]
BASE = "rtsp: no\napiAddress: 127.0.0.1:0\n"
NO_RELAY = "turn: {interfaces: []}\n"


class House:
    def __init__(self, server: Server, file: Path) -> None:
        self.server = server
        self.file = file
        self.operator = httpx.AsyncClient(base_url=f"http://{server.operator}", trust_env=False)

    @property
    def ws(self) -> str:
        return f"ws://{self.server.rooms.endpoint}/ws"

    async def change(self, rooms: str) -> bool:
        self.file.write_text(_text(rooms))
        return await self.server.store.reload()


@asynccontextmanager
async def house(directory: Path, rooms: str) -> AsyncIterator[House]:
    file = directory / "headgate.yml"
    file.write_text(_text(rooms))
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(directory / "state")})
    async with Server(startup) as server:
        house = House(server, file)
        async with house.operator:
            yield house


def _text(given: str) -> str:
    return BASE + given + ("" if "turn:" in given else NO_RELAY)


def rooms(**keys: object) -> str:
    given = {"address": "127.0.0.1:0", **keys}
    return "rooms:\n" + "".join(f"  {key}: {value}\n" for key, value in given.items())


async def test_a_session_in_every_dialect_and_a_kick(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one, Caller.connect(at.ws) as other:
        await one.hello()
        await other.hello()
        await one.next("Joined")
        services = (await at.operator.get("/v1/services")).json()["data"]
        assert next(s for s in services if s["id"] == "Rooms")["attributes"]["router"] == "rooms"
        sessions = (await at.operator.get("/v1/sessions")).json()["data"]
        found = [s for s in sessions if s["attributes"].get("target") == "Room:tea"]
        assert len(found) == 2
        assert found[0]["attributes"]["bytes_sent"] > 0
        listed = (await at.operator.get("/rooms")).json()["items"][0]
        assert (listed["name"], listed["participants"]) == ("tea", 2)
        assert 'headgate_sessions{service="Rooms",role="idle"} 2' in (await at.operator.get("/metrics")).text
        answer = await at.operator.delete(f"/v1/sessions/{found[1]['id']}")
        assert answer.status_code == 204
        with pytest.raises(ConnectionClosed) as caught:
            await other.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert (await one.data("Left"))["Status"] == "hard"
        body = {"message": "soon over"}
        assert (await at.operator.post(f"/rooms/{listed['id']}/messages", json=body)).json() == {"told": 1}
        assert (await one.data("Announcement"))["Message"] == "soon over"
        await at.operator.delete(f"/rooms/{listed['id']}")
        await one.next("Removed")
        assert (await at.operator.get("/rooms")).json()["items"] == []


async def v1(at: House, session: Session, room: str) -> None:
    """MaxScale's."""
    assert (await at.operator.delete(f"/v1/sessions/{session.id.number}")).status_code == 204


async def v1_by_uuid(at: House, session: Session, room: str) -> None:
    assert (await at.operator.delete(f"/v1/sessions/{session.id.uuid}")).status_code == 204


async def application(at: House, session: Session, room: str) -> None:
    """Red5 Pro's: the room is the application."""
    path = f"/api/v1/applications/Room:tea/clients/{session.id.code}"
    shown = (await at.operator.get(path)).json()["data"]
    assert (shown["path"], shown["connection_protocol"]) == ("Room:tea", "rooms")
    assert (await at.operator.delete(path)).status_code == 200
    assert (await at.operator.get(path)).status_code == 404


async def participant(at: House, session: Session, room: str) -> None:
    path = f"/rooms/{room}/participants/{session.id.number}"
    assert (await at.operator.delete(path)).status_code == 200
    assert (await at.operator.delete(path)).status_code == 404


async def command_line(at: House, session: Session, room: str) -> None:
    base = str(at.operator.base_url).rstrip("/")
    result = await asyncio.to_thread(CliRunner().invoke, main, ["kick", session.id.code, "--api", base])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("kick", [v1, v1_by_uuid, application, participant, command_line])
async def test_a_kick_in_every_dialect_ends_it(tmp_path: Path, kick: Kick) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one, Caller.connect(at.ws) as other:
        await one.hello()
        await other.hello()
        await one.next("Joined")
        _, session = at.server.registry.sessions()
        (room,) = at.server.rooms.directory.rooms()
        await kick(at, session, room.id)
        with pytest.raises(ConnectionClosed) as caught:
            await other.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        left = await one.data("Left")
        assert (left["Id"], left["Status"]) == (other.id, "hard")
        (closed,) = [e.event for e in at.server.bus.since(0) if isinstance(e.event, SessionClosed)]
        assert (closed.session, closed.reason, closed.target) == (session.id, CloseReason.KICKED, "Room:tea")
        assert len(at.server.registry.sessions()) == 1
        await one.silence()


async def test_what_happens_is_told_to_those_who_watch(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, at.operator.stream("GET", "/events") as stream:
        lines = stream.aiter_lines()

        async def told(kind: str) -> dict[str, Any]:
            async with asyncio.timeout(10):
                async for line in lines:
                    if line.startswith("data:") and (seen := json.loads(line[5:]))["type"] == kind:
                        return dict(seen)
            raise AssertionError("the stream ended")

        async with Caller.connect(at.ws) as one:
            assert (await told("session.opened"))["service"] == "Rooms"
            await one.hello('a"},\\ <b>')
            while (changed := await told("session.changed"))["target"] is None:
                pass
            assert changed["target"] == 'Room:a"},\\ <b>'
        closed = await told("session.closed")
        assert (closed["service"], closed["target"]) == ("Rooms", 'Room:a"},\\ <b>')


async def test_our_relay_by_the_name_one_came_by(tmp_path: Path) -> None:
    turn = (
        'turn: {interfaces: [{transport: udp, bind: "127.0.0.1:0"}, {transport: tcp, bind: "127.0.0.1:0"}]}\n'
    )
    async with house(tmp_path, rooms() + turn) as at:
        url = at.ws.replace("127.0.0.1", "localhost")
        async with Caller.connect(url) as one:
            relay = at.server.registry.service("TURN")
            udp, tcp = (listener.endpoint.port for listener in relay.listeners)
            given = one.me["Turn"]
            assert given["urls"] == [
                f"turn:localhost:{udp}?transport=udp",
                f"turn:localhost:{tcp}?transport=tcp",
            ]
            assert given["username"].endswith(f":{one.id}")
            assert len(given["password"]) == 28


async def test_a_token_survives_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one:
        me = one.me
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws, query=f"?t={me['Token']}") as one:
        assert (one.id, one.me["Sid"]) == (me["Id"], me["Sid"])


async def test_a_change_keeps_everybody(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one:
        await one.hello()
        assert await at.change(rooms(title="Tea", defaultRoomEnabled="no"))
        await one.silence()
        async with httpx.AsyncClient(base_url=f"http://{at.server.rooms.endpoint}", trust_env=False) as http:
            config = await http.get("/api/v1/config")
        assert config.json()["Title"] == "Tea"
        assert (await one.hello(""))["Code"] == "default_room_disabled"


async def test_another_address_and_none(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one:
        old = at.ws
        assert await at.change(rooms(address='"[::1]:0"'))
        assert at.ws != old
        await one.silence()
        async with Caller.connect(at.ws) as other:
            assert other.id != one.id
        assert not await at.change(rooms(address="192.0.2.1:1"))
        async with Caller.connect(at.ws):
            pass
        assert await at.change('rooms: {address: ""}\n')
        with pytest.raises(ConnectionClosed) as caught:
            await one.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        assert at.server.rooms.endpoint is None
        assert (await at.operator.get("/v1/services/Rooms")).status_code == 404


async def test_the_end_is_a_goodbye(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at:
        one = await Caller.connect(at.ws).__aenter__()
    with pytest.raises(ConnectionClosed) as caught:
        await one.next()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001


async def test_what_an_operator_opens_is_as_they_say(tmp_path: Path) -> None:
    async with house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one, Caller.connect(at.ws) as other:
        given = {"name": "board", "pin": "1", "limit": 1}
        made = (await at.operator.post("/rooms", json=given)).json()
        assert (made["name"], made["pin"], made["limit"], made["participants"]) == ("board", True, 1, 0)
        assert (await at.operator.post("/rooms", json=given)).status_code == 400
        assert (await one.hello("board"))["Code"] == "authorization_required"
        right = {"Credentials": {"PIN": "1"}}
        assert (await one.hello("board", **right))["Type"] == "Welcome"
        assert (await other.hello("board", **right))["Code"] == "room_full"
        assert (await at.operator.delete(f"/rooms/{made['id']}?reason=late")).status_code == 200
        assert (await one.data("Removed"))["Reason"] == "late"
        assert (await at.operator.get(f"/rooms/{made['id']}")).status_code == 404
        await at.operator.post("/rooms", json={"name": "closed", "locked": True})
        assert (await one.hello("closed"))["Code"] == "room_locked"
        waiting = (await at.operator.post("/rooms", json={"name": "lobby", "lobby": True})).json()
        assert (await one.hello("lobby", Extensions=["state"]))["Type"] == "Welcome"
        assert (await other.hello("lobby", Extensions=["state"]))["Type"] == "Waiting"
        shown = (await at.operator.get(f"/rooms/{waiting['id']}")).json()
        assert (shown["participants"], shown["waiting"], shown["members"][0]["moderator"]) == (1, 1, True)
