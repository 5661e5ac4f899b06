"""RFC 6062 through the whole server: a client, its TCP allocation, and peers over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from headgate.server import Server
from headgate.turn.refusal import ErrorCode
from headgate.turn.relay import ClientTransport, RelayTransport
from headgate.turn.server import SERVICE
from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import HEADER_SIZE, Message, MessageClass, Method
from tests.turn.dialogue import Client, House, error_of, peer_value
from tests.turn.live import open_relay
from tests.turn.relay import Link

PATIENCE = 10.0  # seconds; only a failing test waits so long
TCP = bytes((RelayTransport.TCP, 0, 0, 0))


class StreamClient:
    """A connection of a client: for requests, or for a peer's bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.client = Client(House(), Link(transport=int(ClientTransport.TCP)), "bob", "builder")

    async def receive(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readexactly(HEADER_SIZE)
            return Message(head + await self.reader.readexactly(int.from_bytes(head[2:4])))

    async def ask(
        self, method: Method, *attributes: tuple[int, bytes], peer: TransportAddress | None = None
    ) -> Message:
        for turn in range(2):
            transaction = bytes((turn, method)) + bytes(10)
            given = list(attributes)
            if peer is not None:
                given.append((int(Attribute.XOR_PEER_ADDRESS), peer_value(peer, transaction)))
            self.writer.write(self.client.build(method, *given, transaction=transaction))
            message = await self.receive()
            if error_of(message) not in (ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE):
                break
            self.client.nonce = message.attributes[Attribute.NONCE]
            self.client.offered = message.attributes[Attribute.PASSWORD_ALGORITHMS]
        return message


@asynccontextmanager
async def connect(server: Server) -> AsyncIterator[StreamClient]:
    endpoint = server.registry.service(SERVICE).listeners[0].endpoint
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    try:
        yield StreamClient(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def relaying(**changes: object) -> Server:
    interfaces = [{"transport": "tcp", "bind": "127.0.0.1:0"}]
    return open_relay(interfaces=interfaces, tcpRelay=True, **changes)


async def allocate(client: StreamClient) -> TransportAddress:
    answer = await client.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, TCP))
    assert error_of(answer) is None
    return read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)


async def bind(server: Server, connection: bytes, said: bytes) -> bytes:
    """Take up a connection, say something and hear as much."""
    async with connect(server) as data, asyncio.timeout(PATIENCE):
        answer = await data.ask(Method.CONNECTION_BIND, (Attribute.CONNECTION_ID, connection))
        assert error_of(answer) is None
        data.writer.write(said)
        return await data.reader.readexactly(len(said))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_client_connects_to_a_peer() -> None:
    gone = asyncio.Event()

    async def echo_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await echo(reader, writer)
        gone.set()

    async with (
        relaying() as server,
        connect(server) as client,
        await asyncio.start_server(echo_once, "127.0.0.1", 0) as listening,
    ):
        await allocate(client)
        peer = TransportAddress(*listening.sockets[0].getsockname())
        answer = await client.ask(Method.CONNECT, peer=peer)
        assert error_of(answer) is None
        again = await client.ask(Method.CONNECT, peer=peer)
        assert error_of(again) == ErrorCode.CONNECTION_ALREADY_EXISTS
        assert await bind(server, answer.attributes[Attribute.CONNECTION_ID], b"to and fro") == b"to and fro"
        async with asyncio.timeout(PATIENCE):
            await gone.wait()


async def test_a_peer_connects_to_a_client() -> None:
    async with relaying() as server, connect(server) as client:
        relayed = await allocate(client)
        permitted = await client.ask(Method.CREATE_PERMISSION, peer=TransportAddress("127.0.0.1", 1))
        assert error_of(permitted) is None
        reader, writer = await asyncio.open_connection(*relayed)
        attempt = await client.receive()
        assert (attempt.method, attempt.message_class) == (
            Method.CONNECTION_ATTEMPT,
            MessageClass.INDICATION,
        )
        assert read_address(attempt.peers[0], attempt.transaction) == writer.get_extra_info("sockname")
        echoing = asyncio.create_task(echo(reader, writer))
        assert await bind(server, attempt.attributes[Attribute.CONNECTION_ID], b"to and fro") == b"to and fro"
        async with asyncio.timeout(PATIENCE):
            await echoing  # the client's connection is gone, and so is the peer's


async def test_who_may_not_be_connected_may_not_connect_either() -> None:
    """S-48: at an address we relay from only our own relayed addresses are peers, in both directions."""
    async with relaying(peers={}) as server, connect(server) as client, connect(server) as other:
        relayed, near = await allocate(client), await allocate(other)
        for one, peer in ((client, near), (other, relayed)):
            assert error_of(await one.ask(Method.CREATE_PERMISSION, peer=peer)) is None
        reader, writer = await asyncio.open_connection(*relayed)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read(1) == b""
        writer.close()
        await writer.wait_closed()
        assert error_of(await other.ask(Method.CONNECT, peer=relayed)) is None
        attempt = await client.receive()  # of the other client's, and none before it
        assert attempt.method == Method.CONNECTION_ATTEMPT
        assert read_address(attempt.peers[0], attempt.transaction) == near


async def test_who_does_not_answer_cannot_be_connected() -> None:
    async with relaying() as server, connect(server) as client:
        await allocate(client)
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as listening:
            gone = TransportAddress(*listening.sockets[0].getsockname())
        answer = await client.ask(Method.CONNECT, peer=gone)
        assert error_of(answer) == ErrorCode.CONNECTION_TIMEOUT_OR_FAILURE


async def test_the_policy_holds_for_connect_too() -> None:
    """S-01: a canary on this machine is not connected."""
    async with relaying(peers={}, relayAddresses=["127.0.0.2"]) as server, connect(server) as client:
        heard = asyncio.Event()
        async with await asyncio.start_server(lambda *_: heard.set(), "127.0.0.1", 0) as listening:
            await allocate(client)
            answer = await client.ask(
                Method.CONNECT, peer=TransportAddress(*listening.sockets[0].getsockname())
            )
            assert error_of(answer) == ErrorCode.FORBIDDEN
        assert not heard.is_set()


async def test_nor_is_who_answers_where_clients_reach_us() -> None:
    """Behind NAT a listener of ours has another address outside, which may lead back here."""
    heard = asyncio.Event()
    async with await asyncio.start_server(lambda *_: heard.set(), "127.0.0.9", 0) as listening:
        outside = TransportAddress(*listening.sockets[0].getsockname())
        interfaces = [{"transport": "tcp", "bind": "127.0.0.1:0", "external": str(outside)}]
        async with (
            open_relay(interfaces=interfaces, tcpRelay=True, relayAddresses=["127.0.0.1"]) as server,
            connect(server) as client,
        ):
            await allocate(client)
            assert error_of(await client.ask(Method.CONNECT, peer=outside)) is ErrorCode.FORBIDDEN
    assert not heard.is_set()
