"""A client as one was written in 2017: it says what clients said then, and knows nothing that came later.

It is strict where they were: what has an Iid is an answer to a request of its own, Turn is an object, and a
document has the keys that the old server sent, and no others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

__all__ = ["OldClient"]

TIMEOUT = 10.0  # seconds; a busy machine
ENVELOPE = {"Data", "From", "To", "Iid", "A"}
KEYS: Mapping[str, set[str]] = {
    "Self": {"Type", "Id", "Sid", "Userid", "Suserid", "Token", "Version", "ApiVersion", "Turn", "Stun"},
    "Welcome": {"Type", "Room", "Users"},
    "Joined": {"Type", "Id", "Userid", "Ua", "Prio", "Status"},
    "Left": {"Type", "Id", "Status"},
    "Users": {"Type", "Users"},
    "Status": {"Type", "Id", "Userid", "Status", "Rev", "Prio"},
    "Offer": {"Type", "To", "Offer"},
    "Answer": {"Type", "To", "Answer"},
    "Candidate": {"Type", "To", "Candidate"},
    "Bye": {"Type", "To", "Bye"},
    "Chat": {"Type", "To", "Chat"},
    "Conference": {"Type", "Id", "Conference"},
    "Alive": {"Type", "Alive"},
    "Room": {"Type", "Name", "Credentials"},
    "Sessions": {"Type", "Sessions", "Users"},
    "Error": {"Type", "Code", "Message"},
}
SESSION = {"Type", "Id", "Userid", "Ua", "Rev", "Prio", "Status"}
CHAT = {"Message", "Time", "NoEcho", "Mid", "Status"}
IGNORED = {"Removed", "Moved", "Announcement"}
"""What it is told all the same, and takes no notice of, as of every type that it does not know."""


class OldClient:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.me: dict[str, Any] = {}
        self.present: dict[str, dict[str, Any]] = {}
        """Who is in the room, as it has been told."""
        self.attestations: dict[str, str] = {}
        self.ignored: list[str] = []
        self._requests = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, token: str = "") -> AsyncIterator[OldClient]:
        # It did not escape the token.
        query = f"?t={token}" if token else ""
        async with connect(url + query, compression=None, proxy=None) as socket:
            client = cls(socket)
            await client.next("Self")
            yield client

    @property
    def id(self) -> str:
        return str(self.me["Id"])

    async def send(self, kind: str, /, **body: Any) -> None:
        """As all that is no request: the type once more inside."""
        await self._send({"Type": kind, kind: {"Type": kind, **body}})

    async def request(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What is answered to this very request; all that comes before is followed."""
        iid = str(self._requests)
        self._requests += 1
        await self._send({"Type": kind, kind: body, "Iid": iid})
        while True:
            envelope = await self._envelope()
            if "Iid" in envelope:
                assert envelope["Iid"] == iid
                data: dict[str, Any] = envelope["Data"]
                return data
            self._follow(envelope)

    async def hello(self, room: str, *, pin: str = "") -> dict[str, Any]:
        body: dict[str, Any] = {"Version": "0.29.7", "Ua": "Chrome 57", "Name": room, "Type": ""}
        if pin:
            body["Credentials"] = {"PIN": pin}
        data = await self.request("Hello", body)
        if data["Type"] == "Welcome":
            self.present = {user["Id"]: user for user in data["Users"]}
        return data

    async def next(self, kind: str) -> dict[str, Any]:
        """The next document that it knows, which is of this type."""
        while True:
            envelope = await self._envelope()
            assert "Iid" not in envelope, envelope
            if self._follow(envelope):
                data: dict[str, Any] = envelope["Data"]
                assert data["Type"] == kind, envelope
                return data

    async def silence(self) -> None:
        """Nothing that it knows was sent before the answer to this."""
        await self.send("Alive", Alive=1490000000000)
        assert (await self.next("Alive"))["Alive"] == 1490000000000

    async def _send(self, document: Mapping[str, Any]) -> None:
        await self.socket.send(json.dumps(document))

    async def _envelope(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT):
            envelope: dict[str, Any] = json.loads(await self.socket.recv())
        assert envelope.keys() <= ENVELOPE, envelope
        data = envelope["Data"]
        kind = data["Type"]
        if kind not in KEYS:
            assert kind in IGNORED, envelope
            return envelope
        assert data.keys() <= KEYS[kind], envelope
        for user in data.get("Users", ()):
            assert user.keys() <= SESSION, user
        if kind == "Chat":
            assert data["Chat"].keys() <= CHAT, envelope
        if kind == "Self":
            assert data["Turn"].keys() == {"username", "password", "ttl", "urls"}
        return envelope

    def _follow(self, envelope: Mapping[str, Any]) -> bool:
        """Whether it is a document that it knows."""
        if "A" in envelope and "From" in envelope:
            self.attestations[envelope["From"]] = envelope["A"]
        data = envelope["Data"]
        match data["Type"]:
            case "Self":
                self.me = data
            case "Joined":
                self.present[data["Id"]] = data
            case "Left":
                assert self.present.pop(data["Id"], None) is not None, "somebody left who was not there"
            case "Status":
                self.present[data["Id"]]["Status"] = data["Status"]
            case kind if kind not in KEYS:
                self.ignored.append(kind)
                return False
        return True
