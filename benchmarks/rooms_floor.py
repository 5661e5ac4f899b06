"""The floor of the rooms: WebSockets that pass on what they hear, and neither decode nor check anything.

It knows as much of the protocol as the load generator needs to be let in, and believes every byte of it.
"""

import asyncio
import base64
import hashlib
import itertools
import re
import sys
from typing import cast

import uvloop
from websockets.speedups import apply_mask

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)
TO = re.compile(rb'"To":"([^"]*)"')
NAME = re.compile(rb'"Name":"([^"]*)"')
NUMBERS = itertools.count(1)

people: dict[bytes, "Guest"] = {}
rooms: dict[bytes, list["Guest"]] = {}


class Guest(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self.buffer = b""
        self.id = b""
        self.room: list[Guest] = []

    def connection_lost(self, exc: Exception | None) -> None:
        people.pop(self.id, None)
        if self in self.room:
            self.room.remove(self)

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data
        at = 0 if self.id else self.open(buffer)
        while self.id and len(buffer) - at >= 6:
            size, head = buffer[at + 1] & 0x7F, 2
            if size >= 126:
                head = 4 if size == 126 else 10
                size = int.from_bytes(buffer[at + 2 : at + head])
            begin = at + head + 4
            if len(buffer) < begin + size:
                break
            if buffer[at] == 0x81:
                self.hear(apply_mask(buffer[begin : begin + size], buffer[begin - 4 : begin]))
            at = begin + size
        self.buffer = buffer[at:]

    def open(self, buffer: bytes) -> int:
        """How long the request was, if it has all come."""
        end = buffer.find(b"\r\n\r\n") + 4
        key = KEY.search(buffer)
        if end < 4 or key is None:
            return 0
        self.id = b"%040d" % next(NUMBERS)
        people[self.id] = self
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID, usedforsecurity=False).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
        )
        self.transport.write(framed(b'{"Data":{"Type":"Self","Id":"%s","Token":"%s"}}' % (self.id, self.id)))
        return end

    def hear(self, text: bytes) -> None:
        to = TO.search(text)
        if to is None:
            name = NAME.search(text)
            self.room = rooms.setdefault(name[1] if name else b"", [])
            self.room.append(self)
            self.transport.write(framed(b'{"Data":{"Type":"Welcome"}}'))
        elif to[1]:
            people[to[1]].transport.write(framed(text))
        else:
            frame = framed(text)
            for other in self.room:
                if other is not self:
                    other.transport.write(frame)


def framed(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    return b"\x81\x7e" + size.to_bytes(2) + text


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Guest, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
