"""Senders to groups: who has which address, and from when to when they send. Over the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv4Network

import pytest

from headgate.core.events import SessionClosed, SessionOpened
from headgate.core.session import CloseReason, Role
from headgate.media.rtsp import multicast
from headgate.media.rtsp.multicast import GROUP_LIMIT, Groups, NoMulticast
from headgate.server import Server
from tests.media.conftest import Open
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import PATIENCE, Client, rtp
from tests.media.rtsp.test_server import happened, session_of

LOOPBACK = "127.0.0.1"
MULTICAST = "RTP/AVP;multicast"
GROUP = re.compile(r"multicast;destination=([\d.]+);port=(\d+)-(\d+);ttl=127")


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multicast stays on this machine."""
    monkeypatch.setattr(multicast.Multicast.__init__, "__kwdefaults__", {"interfaces": lambda: [LOOPBACK]})


@pytest.fixture
def ports() -> dict[str, int]:
    """Of the groups: two that nobody has now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
            suppress(OSError),
        ):
            one.bind(("", 0))
            port = one.getsockname()[1] & ~1
            other.bind(("", one.getsockname()[1] ^ 1))
            return {"multicast_rtp_port": port, "multicast_rtcp_port": port + 1}


class Listener:
    """Somebody in a group."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        membership = socket.inet_aton(host) + socket.inet_aton(LOOPBACK)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self.socket.settimeout(0)

    async def packet(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2000)

    @property
    def is_silent(self) -> bool:
        try:
            self.socket.recv(2000, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False


@asynccontextmanager
async def listening(header: str) -> AsyncIterator[tuple[Listener, Listener]]:
    found = GROUP.search(header)
    assert found, header
    rtp_side, rtcp_side = (Listener(found[1], int(found[n])) for n in (2, 3))
    try:
        yield rtp_side, rtcp_side
    finally:
        rtp_side.socket.close()
        rtcp_side.socket.close()


# Addresses


def test_every_address_is_one_tracks_and_used_again_last() -> None:
    groups, network = Groups(), IPv4Network("239.1.2.0/30")
    first = groups.take(network, 2)
    assert first == [IPv4Address("239.1.2.0"), IPv4Address("239.1.2.1")]
    groups.release(first)
    second = groups.take(network, 2)
    assert second == [IPv4Address("239.1.2.2"), IPv4Address("239.1.2.3")]
    third = groups.take(network, 1)
    with pytest.raises(NoMulticast, match="multicastIPRange"):
        groups.take(network, 2)
    assert groups.take(network, 1) == [IPv4Address("239.1.2.1")]
    groups.release(third)
    assert groups.take(IPv4Network("239.1.2.0/31"), 1) == third, "of a range that has changed"
    with pytest.raises(NoMulticast):
        groups.take(IPv4Network("239.9.9.9/32"), 2)


def test_there_are_not_more_than_the_limit() -> None:
    groups, network = Groups(), IPv4Network("239.1.0.0/16")
    taken = groups.take(network, GROUP_LIMIT)
    with pytest.raises(NoMulticast, match="more than"):
        groups.take(network, 1)
    groups.release(taken[:1])
    assert groups.take(network, 1) == [taken[-1] + 1]


# Senders


async def test_one_sender_for_everybody_from_the_first_to_the_last(
    open_server: Open, ports: dict[str, int]
) -> None:
    async with (
        open_server(multicast_ip_range="239.255.78.0/28", **ports) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as one,
        Client.connect(server) as two,
    ):
        await publisher.publish()
        answers = [
            await reader.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}") for reader in (one, two)
        ]
        transports = [answer.header("Transport") or "" for answer in answers]
        assert transports[0] == transports[1]
        assert "port={multicast_rtp_port}-{multicast_rtcp_port}".format(**ports) in transports[0]
        second_track = await two.ask("SETUP", "cam/trackID=1", f"Transport: {MULTICAST}")
        assert second_track.header("Transport") != transports[1], "tracks share ports and no address"
        async with listening(transports[0]) as (media, control):
            assert (await one.ask("PLAY")).status == 200
            first, second = session_of(server, one), session_of(server, two)
            assert (first.transport, first.role, second.role) == ("UDP-multicast", Role.READ, Role.IDLE)
            path = server.paths.get("cam")
            assert path is not None
            assert list(path.readers) == [first, second]
            publisher.frame(0, rtp(1))
            assert await media.packet() == rtp(1)

            # A report of that host, which is the first reader's: nothing tells them apart.
            block = bytes([0x81, 201, 0, 7]) + b"MINE" + b"SSRC" + bytes([0, 0, 0, 3]) + bytes(16)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reporter:
                reporter.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
                async with asyncio.timeout(PATIENCE):
                    while server.registry.totals([first])[0].packets_lost != 3:
                        reporter.sendto(block, control.socket.getsockname())
                        await asyncio.sleep(0)

            assert (await two.ask("PLAY")).status == 200
            await one.ask("TEARDOWN")
            publisher.frame(0, rtp(2))
            assert await media.packet() == rtp(2), "once, and still"
            assert media.is_silent
            assert (await two.ask("PAUSE")).status == 200
            publisher.frame(0, rtp(3))
            assert (await two.ask("PLAY")).status == 200
            publisher.frame(0, rtp(4))
            assert await media.packet() == rtp(4), "nothing while nobody plays"
            assert len(server.rtsp.multicast.senders) == 1
            server.registry.close(second, CloseReason.KICKED)
            assert server.rtsp.multicast.senders == {}
            while b"\x81\xcb\x00\x01" not in await control.packet():
                pass  # up to the goodbye
        closed = await happened(server, SessionClosed, count=2)
        assert [(c.session, c.reason) for c in closed] == [
            (first.id, CloseReason.GOODBYE),
            (second.id, CloseReason.KICKED),
        ]


@pytest.mark.parametrize("end", ["client", "publisher"])
async def test_whoever_ends_it_leaves_nothing(open_server: Open, ports: dict[str, int], end: str) -> None:
    async with (
        # As many addresses as one path has tracks: the next reader gets them only if they were released.
        open_server(multicast_ip_range="239.255.79.0/31", **ports) as server,
        Client.connect(server) as publisher,
    ):
        await publisher.publish()
        for closed in (1, 2) if end == "client" else (2, 4):
            async with Client.connect(server) as reader:
                assert (await reader.read(transport=MULTICAST)).status == 200
                assert len(server.rtsp.multicast.senders) == 1
                if end == "publisher":
                    await publisher.ask("TEARDOWN")
                    await reader.ended()
            await happened(server, SessionClosed, count=closed)
            assert server.rtsp.multicast.senders == {}
            if end == "publisher":
                publisher.session = ""
                await publisher.publish()


async def test_where_no_interface_can_multicast_a_client_takes_what_else_it_offers(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multicast.Multicast.__init__, "__kwdefaults__", {"interfaces": list})
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        assert (await reader.read(transport=MULTICAST)).status == 461
        assert [session.remote for session in server.registry.sessions()] == [publisher.address]
        assert (await reader.read()).status == 200


async def test_too_few_addresses(open_server: Open) -> None:
    async with (
        open_server(multicast_ip_range="239.255.80.1/32") as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        await publisher.publish()
        assert (await reader.read(transport=MULTICAST)).status == 461


async def test_multicast_that_is_off(open_server: Open) -> None:
    async with (
        open_server(rtsp_transports=("tcp", "udp")) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        await publisher.publish()
        assert (await reader.read(transport=MULTICAST)).status == 461


async def test_groups_leave_descriptors_for_everybody_else(
    open_server: Open, ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))  # eight sockets: two senders of two tracks
    async with (
        open_server(multicast_ip_range="239.255.85.0/28", **ports) as server,
        Client.connect(server) as one,
        Client.connect(server) as two,
        Client.connect(server) as three,
    ):
        paths = {"one": one, "two": two, "three": three}
        for path, publisher in paths.items():
            assert (await publisher.publish(path)).status == 200
        async with AsyncExitStack() as readers:
            for path, status in {"one": 200, "two": 200, "three": 461}.items():
                reader = await readers.enter_async_context(Client.connect(server))
                assert (await reader.read(path, transport=MULTICAST)).status == status
            assert (await reader.read("three")).status == 200, "over something else"
            await happened(server, SessionOpened, count=6)
        await happened(server, SessionClosed, count=3)
        async with Client.connect(server) as reader:
            assert (await reader.read("three", transport=MULTICAST)).status == 200


async def test_a_new_range_is_for_the_next_sender(open_server: Open, ports: dict[str, int]) -> None:
    async with (
        open_server(multicast_ip_range="239.255.81.0/30", **ports) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as before,
    ):
        await publisher.publish()
        answer = await before.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}")
        assert "destination=239.255.81.0;" in (answer.header("Transport") or "")
        await server.store.patch_global({"multicastIPRange": "239.255.82.0/30"})
        async with Client.connect(server) as after:
            answer = await after.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}")
            assert "destination=239.255.81.0;" in (answer.header("Transport") or ""), "the path has groups"
        await before.ask("TEARDOWN")
        await happened(server, SessionClosed, count=2)
        async with Client.connect(server) as after:
            answer = await after.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}")
            assert "destination=239.255.82.0;" in (answer.header("Transport") or "")


async def other_tracks(publisher: Client) -> None:
    """Publish what is no continuation of `SDP`."""
    assert (await publisher.ask("ANNOUNCE", body=SDP.replace(b"H264", b"H265"))).status == 200
    for track in range(2):
        transport = "Transport: RTP/AVP/TCP;unicast;mode=record"
        assert (await publisher.ask("SETUP", f"cam/streamid={track}", transport)).status == 200
    assert (await publisher.ask("RECORD")).status == 200


async def test_a_group_goes_on_with_another_publisher_and_when_multicast_is_switched_off(
    open_server: Open, ports: dict[str, int]
) -> None:
    async with (
        open_server(multicast_ip_range="239.255.84.0/31", **ports) as server,
        Client.connect(server) as first,
        Client.connect(server) as reader,
    ):
        await first.publish()
        answer = await reader.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}")
        async with listening(answer.header("Transport") or "") as (media, _), AsyncExitStack() as later:
            assert (await reader.ask("PLAY")).status == 200
            first.frame(0, rtp(1))
            assert await media.packet() == rtp(1)
            second, third, late = [await later.enter_async_context(Client.connect(server)) for _ in range(3)]
            await second.publish()
            second.frame(0, rtp(70))
            packet = await media.packet()
            assert packet[2:4] == rtp(2)[2:4], "one stream"
            assert packet[12:] == rtp(70)[12:]

            await server.store.patch_global({"rtspTransports": ["udp", "tcp"]})
            second.frame(0, rtp(71))
            assert (await media.packet())[2:4] == rtp(3)[2:4]
            assert (await late.read(transport=MULTICAST)).status == 200, "as it was when it came"
            async with Client.connect(server) as new:
                assert (await new.read(transport=MULTICAST)).status == 461
            assert len(server.rtsp.multicast.senders) == 1

            await other_tracks(third)
            for ended in (reader, late):
                await ended.ended()
            assert server.rtsp.multicast.senders == {}


async def test_a_crowd_that_comes_and_goes_leaves_no_group(
    open_server: Open, ports: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    async def wander(server: Server, seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(6):
            async with Client.connect(server) as client:
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    if choice.random() < 0.3:
                        await client.publish(choice.choice("ab"))
                    for _ in range(choice.randrange(10)):
                        method = choice.choice(["SETUP", "SETUP", "PLAY", "PLAY", "PAUSE", "TEARDOWN"])
                        end = choice.choice(["/trackID=0", "/trackID=1", ""]) if method == "SETUP" else ""
                        transport = choice.choice([MULTICAST, MULTICAST, "RTP/AVP/TCP"])
                        client.frame(0, rtp(choice.randrange(100)))
                        await client.ask(method, choice.choice("ab") + end, f"Transport: {transport}")

    async with open_server(multicast_ip_range="239.255.83.0/29", **ports) as server:
        await asyncio.gather(*(wander(server, seed) for seed in range(15)))
        opened = server.registry.service("RTSP").total_sessions
        closed = await happened(server, SessionClosed, count=opened)
        assert any(one.totals.packets_received for one in closed)
        assert server.rtsp.multicast.senders == {}
        async with Client.connect(server) as publisher, Client.connect(server) as reader:
            await publisher.publish()
            answer = await reader.ask("SETUP", "cam/trackID=0", f"Transport: {MULTICAST}")
            assert answer.status == 200
            assert len(server.rtsp.multicast.senders) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
