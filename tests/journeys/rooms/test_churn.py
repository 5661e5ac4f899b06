"""People whose connections are cut, resumed, taken over and given up, again and again: no ghost, flat memory.

The rounds follow one another at once: each cuts a tenth of everybody, as a second does in the benchmark.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.journeys.gate import Gate, settings

PEOPLE, ROOMS = 120, 12
ROUNDS, WARM = 260, 130
A_TENTH = PEOPLE // 10
PATIENCE = 60.0  # seconds; a busy machine
GROWTH = 3 << 20  # bytes; a session kept for each cut would be twice as much
EXTENSIONS = ["state", "resume"]


class Mover:
    """One participant, who believes what the server tells it of its room."""

    def __init__(self, url: str, room: str, *, tasks: asyncio.TaskGroup, resumes: bool) -> None:
        self.room = room
        self.resumes = resumes
        self.present: set[str] = set()
        self.me: dict[str, Any] = {}
        self.resumed = 0
        self._url = url
        self._tasks = tasks
        self._seq = 0
        self._changed = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._inside = False

    @property
    def id(self) -> str:
        return str(self.me.get("Id", ""))

    async def come(self, *, token: str = "") -> None:
        """Into the room, or back into it."""
        query = f"?t={token}&seen={self._seq}" if token and self.resumes else f"?t={token}"
        self._inside = False
        socket = await connect(self._url + query, compression=None, proxy=None, open_timeout=PATIENCE)
        self._socket = socket
        self._tasks.create_task(self._read(socket))
        await self.until(lambda: self._inside)

    async def cut(self) -> None:
        """Without a word; the server notices when it does."""
        self._socket_now().transport.abort()

    async def leave(self) -> None:
        await self._socket_now().close()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _socket_now(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                if socket is not self._socket:
                    return  # another has taken its place; what still waits here is nobody's
                await self._follow(socket, json.loads(text)["Data"])
                self._changed.set()
        except ConnectionClosed:
            pass

    async def _follow(self, socket: ClientConnection, data: dict[str, Any]) -> None:
        match data["Type"]:
            case "Self":
                back = self.me.get("Id") == data["Id"]
                self.me = data
                if not (back and self.resumes):
                    await self._hello(socket)
                return
            case "Resumed":
                self._seq, self._inside = data["Seq"], True
                self.resumed += 1
                assert data["Lost"] == 0
                return
            case "Welcome":
                self.present = {user["Id"] for user in data["Users"]}
                self._seq = data.get("Resume", {}).get("Seq", 0)
                self._inside = True
                return
            case "Joined":
                self.present.add(data["Id"])
            case "Left":
                self.present.discard(data["Id"])
        self._seq += 1

    async def _hello(self, socket: ClientConnection) -> None:
        hello = {"Name": self.room, "Extensions": EXTENSIONS if self.resumes else []}
        await socket.send(json.dumps({"Type": "Hello", "Hello": hello}))


async def move(one: Mover, way: int) -> None:
    match way:
        case 0:
            await one.cut()
            await one.come(token=one.me["Token"])
        case 1:  # the old socket is dead, and the server does not know yet
            old = one._socket_now()
            await one.come(token=one.me["Token"])
            old.transport.abort()
        case 2:
            await one.leave()
            await one.come()
        case _:
            await one.cut()
            await one.come()  # as somebody else; who it was is away, and never comes back


async def churn(url: str, gate: Gate, *, chance: random.Random) -> None:
    async with asyncio.TaskGroup() as tasks:
        movers = [
            Mover(url, f"room {number % ROOMS}", tasks=tasks, resumes=number % 3 > 0)
            for number in range(PEOPLE)
        ]
        await asyncio.gather(*(one.come() for one in movers))
        before = 0
        for number in range(ROUNDS):
            if number == WARM:
                before = gate.resident()
            chosen = chance.sample(movers, A_TENTH)
            await asyncio.gather(*(move(one, chance.randrange(4)) for one in chosen))
        grown = gate.resident() - before
        await _settle(movers, gate)
        assert sum(one.resumed for one in movers) > ROUNDS
        for one in movers:
            await one.leave()
    print(f"{grown >> 10} KiB more")
    assert grown < GROWTH, f"{grown >> 10} KiB more after {(ROUNDS - WARM) * A_TENTH} cuts"


async def _settle(movers: list[Mover], gate: Gate) -> None:
    """Who is away for too long is gone; then everybody sees everybody, and nobody else."""
    everybody = {one.id for one in movers}
    for one in movers:
        friends = {other.id for other in movers if other.room == one.room}
        await one.until(lambda one=one, friends=friends: one.present == friends)  # type: ignore[misc]
    listed: set[str] = set()
    for room in gate.get("/rooms")["items"]:
        members = gate.get(f"/rooms/{room['id']}")["members"]
        assert not [member for member in members if member["away"]]
        listed |= {member["id"] for member in members}
    assert listed == everybody
    assert sessions(gate) == len(everybody)


def sessions(gate: Gate) -> int:
    """Those of clients: listeners are in that list as well."""
    everything = gate.get("/v1/sessions")["data"]
    return sum(one["attributes"]["state"] != "Listener Session" for one in everything)


async def test_a_tenth_of_everybody_again_and_again(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rooms = {"address": "127.0.0.1:0", "resumeTimeout": "2s"}
    with Gate.open(tmp_path, settings(rooms=rooms, logLevel="warn")) as gate:
        await churn(f"ws://127.0.0.1:{gate.port('Rooms')}/ws", gate, chance=random.Random(seed))
        assert sessions(gate) == 0
        assert {room["participants"] for room in gate.get("/rooms")["items"]} == {0}
        assert "bug" not in gate.log
