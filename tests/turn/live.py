"""A TURN client over a real socket, in the test's event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headgate.core.config.change import Change
from headgate.core.config.turn_conf import TurnConf
from headgate.core.events import SessionClosed
from headgate.engine import TurnTransport
from headgate.server import Server
from headgate.turn.refusal import ErrorCode
from headgate.turn.server import SERVICE
from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.media.conftest import configuration
from tests.turn.dialogue import REALM, UDP, Client, House, error_of, peer_value
from tests.turn.relay import Link

__all__ = ["PATIENCE", "SECRET", "LiveClient", "change", "open_relay", "turn", "until_closed"]

SECRET = "a secret of sixteen or more"
PATIENCE = 10.0  # seconds; only a failing test waits so long


def turn(**changes: Any) -> dict[str, Any]:
    return {
        "realm": REALM,
        "interfaces": [{"transport": "udp", "bind": "127.0.0.1:0"}],
        "users": {"bob": "builder", "alice": "wonder"},
        "authSecrets": [SECRET],
        "peers": {"allow": ["127.0.0.0/8"]},
        **changes,
    }


def open_relay(**changes: Any) -> Server:
    return Server(configuration(turn=TurnConf.model_validate(turn(**changes)), rtsp=False))


class LiveClient:
    """As `Client`, with the time it takes."""

    def __init__(self, sock: socket.socket, name: str, password: str) -> None:
        self._socket = sock
        self.client = Client(House(), Link(transport=int(TurnTransport.UDP)), name, password)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, server: Server, name: str = "bob", password: str = "builder", *, interface: int = 0
    ) -> AsyncIterator[LiveClient]:
        """`interface`: which of the configuration's."""
        listener = server.registry.service(SERVICE).listeners[interface]
        endpoint, over = listener.endpoint, listener.transport
        kind = socket.SOCK_STREAM if over == "TCP" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(0)
            await asyncio.get_running_loop().sock_connect(sock, (endpoint.host, endpoint.port))
            yield cls(sock, name, password)

    @property
    def address(self) -> TransportAddress:
        return TransportAddress(*self._socket.getsockname())

    def hang_up(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Of a connection: as when the network is gone."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self._socket, 2048)

    async def ask(
        self, method: Method, *attributes: tuple[int, bytes], peer: TransportAddress | None = None
    ) -> Message:
        for turn in range(2):
            transaction = bytes((turn, method)) + self.address.port.to_bytes(10)
            given = list(attributes)
            if peer is not None:
                given.append((int(Attribute.XOR_PEER_ADDRESS), peer_value(peer, transaction)))
            await self.send(self.client.build(method, *given, transaction=transaction))
            message = Message(await self.receive())
            if error_of(message) not in (ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE):
                break
            self.client.nonce = message.attributes[Attribute.NONCE]
            self.client.offered = message.attributes[Attribute.PASSWORD_ALGORITHMS]
        return message

    async def allocate(self) -> TransportAddress:
        answer = await self.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, UDP))
        assert error_of(answer) is None, error_of(answer)
        return read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)

    async def bind(self, number: int, peer: TransportAddress) -> ErrorCode | None:
        channel = (int(Attribute.CHANNEL_NUMBER), number.to_bytes(2) + b"\0\0")
        return error_of(await self.ask(Method.CHANNEL_BIND, channel, peer=peer))

    async def refresh(self, lifetime: int) -> ErrorCode | None:
        return error_of(await self.ask(Method.REFRESH, (Attribute.LIFETIME, lifetime.to_bytes(4))))


async def until_closed(server: Server) -> SessionClosed:
    with server.bus.subscribe() as events:
        if gone := [one.event for one in server.bus.since(0) if isinstance(one.event, SessionClosed)]:
            return gone[-1]
        async with asyncio.timeout(PATIENCE):
            async for one in events:
                if isinstance(one.event, SessionClosed):
                    return one.event
    raise AssertionError("the bus was closed")


async def change(server: Server, **changes: Any) -> None:
    """As the file's change would."""
    old = server.configuration
    own = old.own.model_copy(update={"turn": TurnConf.model_validate(turn(**changes))})
    prepared = await server.turn.prepare(Change.between(old, _with(old, own)))
    if prepared is not None:
        prepared.commit()


def _with(old: Any, own: Any) -> Any:
    return dataclasses.replace(old, own=own)
