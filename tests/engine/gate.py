"""A listener of the engine's, and who hears of its connections."""

from __future__ import annotations

import asyncio

from headgate.engine import Accepted, EngineLoop, Event, Listen

__all__ = ["REQUEST", "Gate", "Owner"]

REQUEST = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"


class Owner:
    """Keeps what it is handed; `next` waits for it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def __call__(self, event: Event) -> None:
        self.events.put_nowait(event)

    async def next(self) -> Event:
        async with asyncio.timeout(10):
            return await self.events.get()


class Gate:
    """A listener whose connections all belong to one owner."""

    def __init__(self, loop: EngineLoop) -> None:
        self.loop = loop
        self.owner = Owner()
        self.listener, self.port = loop.engine.listen(Listen(host="127.0.0.1", port=0))
        loop.attach(self.listener, self.accept)

    def accept(self, event: Event) -> None:
        assert isinstance(event, Accepted)
        self.loop.attach(event.connection, self.owner)
        self.owner(event)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        accepted = await self.owner.next()
        assert isinstance(accepted, Accepted)
        assert (accepted.remote_host, accepted.remote_port) == writer.get_extra_info("sockname")
        return reader, writer, accepted.connection
