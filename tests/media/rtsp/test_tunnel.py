"""RTSP inside of HTTP and of WebSocket: who may pair, and that everything else is as without."""

from __future__ import annotations

import asyncio
import base64
import logging
from http import HTTPStatus

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from headgate.core.events import ConnectionClosed, SessionClosed
from headgate.core.session import CloseReason
from headgate.core.tunnel import Tunnel
from headgate.engine import Connection
from headgate.media.rtsp.http import HttpRefusal
from headgate.media.rtsp.tunnel import Getting, Posting, Talking, Tunnels
from headgate.server import Server
from tests.core.hooks.notes import until
from tests.media.conftest import Open
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import PATIENCE, Client, rtp
from tests.media.rtsp.test_admission import USERS, basic, publish
from tests.media.rtsp.test_server import happened
from tests.media.rtsp.test_websocket import HEADERS
from tests.media.rtsp.tunnelled import Framed, get, in_http, in_websocket, post, raw, talk

COOKIE = "uUNlkS1vTrCdUw4nGY6OnQ"
UPGRADE = "\r\n".join(
    ["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in HEADERS.items()), "", ""]
).encode()


class Door:
    """Asks a table as a connection would."""

    def __init__(self) -> None:
        self.tunnels = Tunnels()

    def __call__(
        self, head: bytes, number: int, *, service: str = "RTSP", host: str = "192.0.2.1"
    ) -> Getting | Posting | Talking:
        return self.tunnels.enter(
            head, connection=Connection(number), service=service, host=host, allow_origin="*"
        )

    def status(self, head: bytes, number: int, *, service: str = "RTSP", host: str = "192.0.2.1") -> int:
        with pytest.raises(HttpRefusal) as refused:
            self(head, number, service=service, host=host)
        return refused.value.status


class TestTunnels:
    def test_a_post_finds_its_get_as_often_as_it_comes(self) -> None:
        door = Door()
        assert isinstance(door(get(COOKIE), 1), Getting)
        assert [door(post(COOKIE), number) for number in (2, 3)] == [Posting(Connection(1))] * 2

    def test_one_get_a_cookie_until_it_is_gone(self) -> None:
        door = Door()
        door(get(COOKIE), 1)
        assert door.status(get(COOKIE), 2) == HTTPStatus.CONFLICT
        door.tunnels.leave(Connection(2))
        assert len(door.tunnels) == 1
        door.tunnels.leave(Connection(1))
        assert len(door.tunnels) == 0
        assert door.status(post(COOKIE), 3) == HTTPStatus.NOT_FOUND
        assert isinstance(door(get(COOKIE), 4), Getting)

    def test_neither_another_address_nor_another_service_has_the_cookie(self) -> None:
        door = Door()
        door(get(COOKIE), 1)
        assert door.status(post(COOKIE), 2, host="192.0.2.2") == HTTPStatus.NOT_FOUND
        assert door.status(post(COOKIE), 2, service="RTSPS") == HTTPStatus.NOT_FOUND
        assert isinstance(door(get(COOKIE), 3, host="192.0.2.2"), Getting), "and keeps nobody out"

    @pytest.mark.parametrize("cookie", ["", "a b", "a, b", "é", "x" * 129, "x" * 10_000])
    def test_a_cookie_is_short_and_printable(self, cookie: str) -> None:
        door = Door()
        assert door.status(get(cookie), 1) == HTTPStatus.BAD_REQUEST
        assert len(door.tunnels) == 0

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404),
            (b"GET /index.html HTTP/1.0\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n", 404),
            (b"OPTIONS * HTTP/1.1\r\nOrigin: http://a\r\n\r\n", 404),
            (b"PUT / HTTP/1.1\r\nx-sessioncookie: a\r\n\r\n", 405),
            (get(COOKIE, "x-sessioncookie: b"), 400),
            (get(COOKIE, "Origin: http://a"), 403),
            (post(COOKIE), 404),
        ],
    )
    def test_what_is_no_tunnel_is_refused(self, head: bytes, status: int) -> None:
        assert Door().status(head, 1) == status

    def test_a_websocket_needs_no_cookie(self) -> None:
        entered = Door()(UPGRADE, 1)
        assert isinstance(entered, Talking)
        assert not entered.foreign


def only(server: Server, tunnel: Tunnel) -> None:
    tables = server.rtsp.connections.values()
    assert {one.tunnel for table in tables for one in table.values()} == {Tunnel.NONE, tunnel}


def goodbye_of(framed: Framed) -> int:
    close = framed.protocol.close_rcvd
    assert close is not None
    return close.code


async def relayed(publisher: Client, reader: Client) -> None:
    """Packets go from one to the other."""
    await reader.ask("GET_PARAMETER", "")  # behind its answer the reader plays
    for sequence in range(3):
        publisher.frame(0, rtp(sequence))
    for sequence in range(3):
        assert await reader.packet() == (0, rtp(sequence))


async def test_published_and_read_in_http(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as plain:
        async with in_http(server) as client:
            assert (await client.publish("up")).status == 200
            assert (await plain.read("up")).status == 200
            await relayed(client, plain)
            assert (await plain.ask("TEARDOWN", "up")).status == 200
        async with Client.connect(server) as publisher, in_http(server) as client:
            assert (await publisher.publish("down")).status == 200
            assert (await client.read("down")).status == 200
            only(server, Tunnel.HTTP)
            await relayed(publisher, client)


async def test_published_and_read_in_websocket(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as plain:
        async with in_websocket(server) as (client, framed):
            framed.largest_write = 3  # no message need be whole
            assert (await client.publish("up")).status == 200
            assert (await plain.read("up")).status == 200
            await relayed(client, plain)
            assert (await plain.ask("TEARDOWN", "up")).status == 200
        async with Client.connect(server) as publisher, in_websocket(server) as (client, framed):
            assert (await publisher.publish("down")).status == 200
            assert (await client.read("down")).status == 200
            only(server, Tunnel.WEBSOCKET)
            await relayed(publisher, client)
            assert all(frame.fin for frame in framed.frames)


async def test_datagrams_are_not_offered_inside(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, in_http(server) as client:
        assert (await publisher.publish()).status == 200
        answer = await client.read(transport="RTP/AVP;unicast;client_port=5000-5001")
        assert answer.status == 461


async def test_a_client_goes_on_with_another_post(open_server: Open) -> None:
    async with open_server() as server, raw(server) as (reader, down), asyncio.timeout(PATIENCE):
        down.write(get(COOKIE))
        await reader.readuntil(b"\r\n\r\n")
        for number in range(1, 4):
            async with raw(server) as (_, up):
                request = f"OPTIONS * RTSP/1.0\r\nCSeq: {number}\r\n\r\n".encode()
                up.write(post(COOKIE) + base64.b64encode(request))
                assert f"CSeq: {number}\r\n".encode() in await reader.readuntil(b"\r\n\r\n")


async def test_a_kick_says_goodbye_in_the_tunnels_own_way(open_server: Open) -> None:
    async with open_server() as server, in_websocket(server) as (client, framed):
        assert (await client.publish()).status == 200
        [session] = server.registry.sessions()
        server.registry.close(session, CloseReason.KICKED)
        await client.ended()
        assert framed.frames[-1].opcode is Opcode.CLOSE
        assert goodbye_of(framed) == 1000


async def test_a_server_that_stops_says_goodbye_in_tunnels_and_to_halves_of_them(
    open_server: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server(drain_timeout="200ms") as server, asyncio.timeout(PATIENCE):
        async with (
            in_websocket(server) as (publisher, framed),
            in_http(server) as reader,
            raw(server) as (half, down),
        ):
            assert (await publisher.publish()).status == 200
            assert (await reader.read()).status == 200
            down.write(get("alone"))
            await half.readuntil(b"\r\n\r\n")
            await server.drain()
            await server.rtsp.close()
            await publisher.ended()
            await reader.ended()
            assert await half.read() == b""
            assert goodbye_of(framed) == 1000
        await until(lambda: not len(server.rtsp._tunnels))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_post_that_crosses_with_a_kick_is_closed(
    open_server: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        open_server() as server,
        in_http(server, cookie=COOKIE) as client,
        raw(server) as (reader, up),
        asyncio.timeout(PATIENCE),
    ):
        assert (await client.publish()).status == 200
        [session] = server.registry.sessions()
        up.write(post(COOKIE))
        server.registry.close(session, CloseReason.KICKED)
        await reader.read()
        await client.ended()
        client._writer.close()
        await until(lambda: not any(server.rtsp.connections.values()))
        assert len(server.rtsp._tunnels) == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_of_many_pings_the_last_is_answered(open_server: Open) -> None:
    async with open_server() as server, in_websocket(server) as (client, framed), asyncio.timeout(PATIENCE):
        ping = b"\x89\xfd" + bytes(4) + b"x" * 125
        for _ in range(100):
            framed._writer.write(ping * 1000)
            await framed._writer.drain()  # nobody reads what comes back
        async with Client.connect(server) as other:
            assert (await other.ask("OPTIONS")).status == 200
        assert (await client.ask("OPTIONS")).status == 200
        pongs = [frame for frame in framed.frames if frame.opcode is Opcode.PONG]
        assert 0 < len(pongs) < 50_000


async def test_a_get_that_goes_ends_the_session(open_server: Open) -> None:
    async with open_server() as server:
        async with in_http(server) as client:
            assert (await client.publish()).status == 200
        [closed] = await happened(server, SessionClosed)
        assert closed.reason == CloseReason.PEER
        await happened(server, ConnectionClosed, count=2)
        assert len(server.rtsp._tunnels) == 0
        assert server.rtsp.closures["joined"] == 1


async def test_a_get_without_a_post_is_given_up(open_server: Open) -> None:
    async with open_server(read_timeout=0.5) as server, raw(server) as (reader, down):
        down.write(get(COOKIE))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() == b""
        await happened(server, ConnectionClosed)
        assert server.rtsp.closures["read_timeout"] == 1
        assert len(server.rtsp._tunnels) == 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (post("nobody's"), 404),
        (get("x" * 10_000), 400),
        (UPGRADE.replace(b"rtsp.onvif.org", b"chat"), 400),
        (UPGRADE.replace(b"Version: 13", b"Version: 7"), 426),
    ],
)
async def test_a_refusal_is_http_and_counted(open_server: Open, head: bytes, status: int) -> None:
    async with open_server() as server:
        seen, answer = await talk(server, head)
        assert seen == status
        assert answer.startswith(b"HTTP/1.1 ")
        assert server.rtsp.refusals[status] == 1


@pytest.mark.parametrize("said", [b"*" * 100, b"====", b"QUJD=QUJD", b"OPTIONS * RTSP/1.0\r\n\r\n"])
async def test_what_is_no_base64_ends_its_session_alone(open_server: Open, said: bytes) -> None:
    async with open_server() as server, in_http(server) as other, in_http(server) as client:
        assert (await client.publish()).status == 200
        client._writer.writer.write(said)
        await client.ended()
        assert server.rtsp.refusals[400] == 1
        assert (await other.ask("OPTIONS")).status == 200
        await until(lambda: not server.registry.sessions())


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        (b"\x82\x01x", 400, 1002),
        (b"\x81\x81\0\0\0\0x", 400, 1003),
        (b"\x82\xff\x7f" + b"\xff" * 7 + bytes(4), 413, 1009),
        (b"\x82\xff\x80" + bytes(7) + bytes(4), 413, 1009),
        (b"\x02\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 2000, 413, 1009),
        (b"\xc2\x81\0\0\0\0x", 400, 1002),
    ],
)
async def test_what_is_no_frame_ends_its_session_alone(
    open_server: Open, frame: bytes, status: int, code: int
) -> None:
    async with open_server() as server, Client.connect(server) as other:
        async with in_websocket(server) as (client, framed):
            assert (await client.publish()).status == 200
            framed._writer.write(frame)
            await client.ended()
            assert goodbye_of(framed) == code
        assert server.rtsp.refusals[status] == 1
        assert (await other.ask("OPTIONS")).status == 200
        await until(lambda: not server.registry.sessions())


class TestPages:
    """Who asks in a browser, for the page of some site."""

    async def test_one_that_is_not_named_needs_credentials(self, open_server: Open) -> None:
        everybody = {"user": "any", "permissions": [{"action": "read", "path": "open"}]}
        async with (
            open_server(auth_internal_users=[*USERS, everybody]) as server,
            Client.connect(server) as publisher,
        ):
            await publish(publisher)
            async with in_websocket(server) as (program, _):
                assert (await program.ask("DESCRIBE", "open")).status == 404, "let in, and nothing there"
            async with in_websocket(server, origin="https://evil.example") as (page, _):
                assert (await page.ask("DESCRIBE", "open")).status == 401
                assert (await page.ask("DESCRIBE", "cam", basic("bob"))).status == 200

    async def test_it_publishes_nothing(self, open_server: Open) -> None:
        async with (
            open_server(auth_internal_users=USERS) as server,
            in_websocket(server, origin="https://evil.example") as (page, _),
        ):
            assert (await page.ask("ANNOUNCE", "cam", basic("eve"), body=SDP)).status == 401

    async def test_the_one_that_is_named_is_like_anybody(self, open_server: Open) -> None:
        async with open_server(api_allow_origin="https://player.example") as server:
            async with in_websocket(server, origin="https://player.example") as (page, _):
                assert (await page.publish()).status == 200
            with pytest.raises(InvalidStatus) as refused:
                async with in_websocket(server, origin="https://evil.example"):
                    pass
            assert refused.value.response.status_code == 403
