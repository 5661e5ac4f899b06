"""A client of the channelling protocol, over a real WebSocket, as strict as a test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Caller", "Document"]

Document = dict[str, Any]
LARGEST = 4 << 20  # bytes
TIMEOUT = 10.0  # seconds; a busy machine


class Caller:
    """Connected, with its Self in hand. `next` is the next envelope, whatever it is."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.me: Document = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, query: str = "", **options: Any) -> AsyncIterator[Caller]:
        async with connect(url + query, compression=None, proxy=None, max_size=LARGEST, **options) as socket:
            caller = cls(socket)
            caller.me = (await caller.next("Self"))["Data"]
            yield caller

    @property
    def id(self) -> str:
        return str(self.me["Id"])

    async def send(self, kind: str, body: Any = None, *, iid: str | None = None) -> None:
        envelope: Document = {"Type": kind, kind: {} if body is None else body}
        if iid is not None:
            envelope["Iid"] = iid
        await self.socket.send(json.dumps(envelope))

    async def next(self, kind: str = "") -> Document:
        """The next envelope; with `kind` it must be of that type."""
        async with asyncio.timeout(TIMEOUT):
            text = await self.socket.recv(decode=True)
        assert text.endswith("\n")
        envelope: Document = json.loads(text)
        if kind:
            assert envelope["Data"]["Type"] == kind, envelope
        return envelope

    async def data(self, kind: str) -> Document:
        data: Document = (await self.next(kind))["Data"]
        return data

    async def error(self) -> str:
        return str((await self.next("Error"))["Data"]["Code"])

    async def hello(self, room: str = "tea", **given: Any) -> Document:
        """Into a room; what it is answered."""
        await self.send("Hello", {"Version": "1.0.0", "Ua": "Test 1", "Name": room, **given}, iid="h")
        envelope = await self.next()
        assert envelope["Iid"] == "h"
        data: Document = envelope["Data"]
        return data

    async def silence(self) -> None:
        """Nothing was sent before the answer to this."""
        await self.send("Alive", {"Type": "Alive", "Alive": "silence"}, iid="silence")
        envelope = await self.next()
        assert envelope["Data"] == {"Type": "Alive", "Alive": "silence"}, envelope
