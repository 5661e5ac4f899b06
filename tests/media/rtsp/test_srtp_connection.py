"""Clients of RTSPS over UDP and in tunnels, while the configuration changes under them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from headgate.core.events import SessionClosed
from headgate.core.session import CloseReason
from headgate.media.rtsp.key_mgmt import Keyring, key_mgmt_header
from headgate.server import Server
from tests.core.authority import Authority
from tests.media.conftest import Open
from tests.media.rtsp.live import PATIENCE, Client, rtp
from tests.media.rtsp.test_renewed import encrypted, rtsps
from tests.media.rtsp.test_server import happened
from tests.media.rtsp.tunnelled import Posted, get, post

TAG = 10  # bytes of AES_CM_128_HMAC_SHA1_80
UDP = "Transport: RTP/SAVP;unicast;client_port={}-{}"
KEYS = Keyring()
KEY = "KeyMgmt: " + key_mgmt_header(KEYS.key(0), url="rtsps://h/cam/trackID=0")


@asynccontextmanager
async def tls(
    server: Server, authority: Authority
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    endpoint = rtsps(server)
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=authority.context())
    try:
        yield reader, writer
    finally:
        writer.close()


class Datagrams:
    """An even port that nobody has now."""

    def __init__(self) -> None:
        while True:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with suppress(OSError):
                self.socket.bind(("127.0.0.1", 0))
            self.port = self.socket.getsockname()[1]
            if self.port % 2 == 0:
                break
            self.socket.close()
        self.socket.settimeout(0)

    async def packet(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2000)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    authority.issue().write(tmp_path)
    return authority


async def test_a_reader_over_srtp_goes_on_while_transports_and_encryption_change(
    open_server: Open, tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    both = encrypted(tmp_path, rtsp_encryption="optional", rtsp_transports=["udp", "tcp"])
    async with (
        open_server(**both) as server,
        tls(server, authority) as (up, up_writer),
        tls(server, authority) as (down, down_writer),
        Client.connect(server) as plain,
    ):
        publisher = Client(up, up_writer, base="rtsps://h")
        reader = Client(down, down_writer, base="rtsps://h")
        datagrams = Datagrams()
        await publisher.publish()
        assert b" RTP/SAVP " in (await reader.ask("DESCRIBE")).body
        transport = UDP.format(datagrams.port, datagrams.port + 1)
        assert (await reader.ask("SETUP", "cam/trackID=0", transport, KEY)).status == 200
        assert (await reader.ask("PLAY")).status == 200
        assert (await plain.read()).status == 200
        publisher.frame(0, rtp(1))
        first = await datagrams.packet()
        assert len(first) == len(rtp(1)) + TAG
        assert rtp(1)[12:] not in first

        await server.store.patch_global({"rtspTransports": ["tcp"]})
        publisher.frame(0, rtp(2))
        assert (await datagrams.packet())[2:4] == rtp(2)[2:4]
        await server.store.patch_global({"rtspEncryption": "strict"})
        await plain.ended()
        publisher.frame(0, rtp(3))
        assert (await datagrams.packet())[2:4] == rtp(3)[2:4]
        [closed] = await happened(server, SessionClosed)
        assert closed.reason is CloseReason.RECONFIGURED, "the one in the clear, and nobody else"
        async with tls(server, authority) as (late, late_writer):
            newcomer = Client(late, late_writer, base="rtsps://h")
            assert b"SAVP" not in (await newcomer.ask("DESCRIBE")).body
            assert (await newcomer.ask("SETUP", "cam/trackID=0", transport, KEY)).status == 461
        datagrams.socket.close()
    assert "mikey" not in caplog.text
    assert "data=" not in caplog.text


async def test_in_a_tunnel_srtp_is_not_offered_over_udp(
    open_server: Open, tmp_path: Path, authority: Authority
) -> None:
    both = encrypted(tmp_path, rtsp_encryption="optional", rtsp_transports=["udp", "tcp"])
    async with (
        open_server(**both) as server,
        Client.connect(server) as publisher,
        tls(server, authority) as (reader, down),
        tls(server, authority) as (_, up),
        asyncio.timeout(PATIENCE),
    ):
        await publisher.publish()
        down.write(get("cookie"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        up.write(post("cookie"))
        client = Client(reader, Posted(up, down), base="rtsps://h")
        assert b"SAVP" not in (await client.ask("DESCRIBE")).body
        assert (await client.ask("SETUP", "cam/trackID=0", UDP.format(5000, 5001), KEY)).status == 461
        assert (await client.read()).status == 200
        publisher.frame(0, rtp(1))
        assert await client.packet() == (0, rtp(1))
