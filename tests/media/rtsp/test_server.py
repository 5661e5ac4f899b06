"""The RTSP server with its engine, over loopback."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from headgate.core.errors import ListenError
from headgate.core.events import Event, PathNotReady, PathReady, SessionClosed
from headgate.core.service import Protocol
from headgate.core.session import CloseReason, Role, Session
from headgate.media.rtsp.message import Method, Status
from headgate.server import Server
from tests.media.conftest import Open
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import PATIENCE, Client, rtp

E = TypeVar("E", bound=Event)


@contextmanager
def neighbours(pairs: int) -> Iterator[list[socket.socket]]:
    """UDP sockets on an even port and the next (RFC 3550 11), so many times."""
    with ExitStack() as stack:
        found: list[socket.socket] = []
        while len(found) < 2 * pairs:
            one, other = (
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
            )
            one.bind(("127.0.0.1", 0))
            with suppress(OSError):
                other.bind(("127.0.0.1", one.getsockname()[1] ^ 1))
                pair = sorted((one, other), key=lambda s: s.getsockname()[1])
                for bound in pair:
                    bound.settimeout(0)
                found += pair
        yield found


async def happened(server: Server, kind: type[E], *, count: int = 1) -> list[E]:
    """Wait for so many events of a kind, from the beginning."""
    with server.bus.subscribe() as news:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [p.event for p in server.bus.since(0) if isinstance(p.event, kind)]
                if len(found) >= count:
                    return found
                await news.batch()


def session_of(server: Server, client: Client) -> Session:
    (found,) = [s for s in server.registry.sessions() if s.remote == client.address]
    return found


async def test_a_stream_goes_from_publisher_to_reader(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        assert (await publisher.publish("live/cam")).status == 200
        described = await reader.ask("DESCRIBE", "live/cam")
        assert b"a=control:trackID=1\r\n" in described.body
        assert described.header("Content-Base") == f"{reader.base}/live/cam/"
        assert (await reader.read("live/cam?token=1&a=2")).status == 200

        path = server.paths.get("live/cam")
        assert path is not None
        assert (path.conf_name, list(path.tracks)) == ("all_others", ["H264", "Opus"])
        assert path.ready_time is not None
        writing, reading = session_of(server, publisher), session_of(server, reader)
        assert (path.source, list(path.readers)) == (writing, [reading])
        assert (writing.role, writing.transport) == (Role.PUBLISH, "TCP")
        assert (reading.role, reading.transport, reading.query) == (Role.READ, "TCP", "token=<redacted>&a=2")
        connections = server.rtsp.connections[Protocol.RTSP].values()
        assert {c.remote: c.session for c in connections} == {
            publisher.address: writing,
            reader.address: reading,
        }

        for sequence in range(10):
            publisher.frame(0, rtp(sequence))
        assert [await reader.packet() for _ in range(10)] == [(0, rtp(n)) for n in range(10)]

        assert (await publisher.ask("TEARDOWN", "live/cam")).status == 200
        await reader.ended()
        closed = await happened(server, SessionClosed, count=2)
        assert [
            (c.session, c.reason, c.totals.packets_received) for c in closed if c.role is Role.PUBLISH
        ] == [(writing.id, CloseReason.GOODBYE, 10)]
        assert [(c.session, c.reason, c.totals.packets_sent) for c in closed if c.role is Role.READ] == [
            (reading.id, CloseReason.PUBLISHER_GONE, 10)
        ]
        assert server.registry.sessions() == []
        assert server.paths.get("live/cam") is None
        assert [p.path for p in await happened(server, PathNotReady)] == ["live/cam"]
        # The connection that was torn down carries another session.
        publisher.session = ""
        assert (await publisher.publish("again")).status == 200


async def test_the_answer_to_play_comes_before_the_first_packet(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        assert (
            await reader.ask("SETUP", "cam/trackID=0", "Transport: RTP/AVP/TCP;interleaved=6-7")
        ).status == 200
        for sequence in range(50):
            publisher.frame(0, rtp(sequence))
        reader.send(
            f"PLAY {reader.base}/cam RTSP/1.0\r\nCSeq: 9\r\nSession: {reader.session}\r\n\r\n".encode()
        )
        answer = await reader.receive()
        assert getattr(answer, "status", None) == 200
        publisher.frame(0, rtp(50))
        channel, packet = await reader.packet()
        assert channel == 6
        assert packet[:1] == b"\x80"


async def test_play_names_the_first_packet_only_where_it_is_known(open_server: Open) -> None:
    async def play(reader: Client) -> str | None:
        for track in range(2):
            await reader.ask("SETUP", f"cam/trackID={track}", "Transport: RTP/AVP/TCP;unicast")
        return (await reader.ask("PLAY", "cam")).header("RTP-Info")

    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as first:
        await publisher.publish()
        assert await play(first) is None, "nothing was sent yet"
        publisher.frame(0, rtp(4))
        publisher.frame(2, rtp(7))
        assert sorted([await first.packet(), await first.packet()]) == [(0, rtp(4)), (2, rtp(7))]
        async with Client.connect(server) as second:
            video, audio = (await play(second) or "").split(",")
            # A video reader starts at a key frame that is yet to come.
            assert "rtptime=" in video
            assert "seq=" not in video
            assert ";seq=8;" in audio


async def test_published_and_read_over_udp(open_server: Open) -> None:
    with neighbours(2) as sending, neighbours(1) as receiving:
        async with (
            open_server() as server,
            Client.connect(server) as publisher,
            Client.connect(server) as reader,
        ):
            rtp_port = server.registry.service("RTSP").listeners[1].endpoint.port
            assert rtp_port % 2 == 0
            assert server.registry.service("RTSP").listeners[2].endpoint.port == rtp_port + 1
            ports = [s.getsockname()[1] for s in sending]
            assert (await publisher.publish(ports=[ports[0], ports[2]])).status == 200
            here = receiving[0].getsockname()[1]
            assert (
                await reader.read(transport=f"RTP/AVP;unicast;client_port={here}-{here + 1}")
            ).status == 200
            assert session_of(server, reader).transport == "UDP"
            for sequence in range(5):
                sending[0].sendto(rtp(sequence), ("127.0.0.1", rtp_port))
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(PATIENCE):
                got = [await loop.sock_recv(receiving[0], 2048) for _ in range(5)]
            assert got == [rtp(n) for n in range(5)]
            # What it received is counted once the whole batch is sent on: perhaps after the last came here.
            session = session_of(server, publisher)
            async with asyncio.timeout(PATIENCE):
                while server.registry.totals([session])[0].packets_received < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            assert server.registry.totals([session])[0].packets_received == 5


async def test_describe_and_setup_where_nobody_publishes(open_server: Open) -> None:
    async with open_server(paths={"known": {}}) as server, Client.connect(server) as client:
        assert [p.name for p in server.paths] == ["known"]
        for path in ("known", "unknown"):
            assert (await client.ask("DESCRIBE", path)).status == 404
            assert (await client.ask("SETUP", f"{path}/trackID=0", "Transport: RTP/AVP/TCP")).status == 404
        assert (await client.ask("ANNOUNCE", "unknown", body=SDP)).status == 404
        assert server.registry.sessions() == []
        assert server.rtsp.refusals[Status.NOT_FOUND] == 5


async def test_setup_of_tracks_the_path_does_not_have(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        assert (await reader.ask("SETUP", "cam/trackID=2", "Transport: RTP/AVP/TCP")).status == 404
        assert (await reader.ask("SETUP", "cam", "Transport: RTP/AVP/TCP")).status == 459
        assert len(server.registry.sessions()) == 1


async def test_a_new_publisher_takes_the_path(open_server: Open) -> None:
    async with (
        open_server(paths={"cam": {}}) as server,
        Client.connect(server) as first,
        Client.connect(server) as reader,
        Client.connect(server) as second,
    ):
        await first.publish()
        await reader.read()
        await second.ask("ANNOUNCE", "cam", body=SDP)
        assert len(server.registry.sessions()) == 3, "who only announces takes nothing"
        second.session = ""
        await second.ask("TEARDOWN")
        second.session = ""
        first.frame(0, rtp(7))
        _, before = await reader.packet()
        assert (await second.publish()).status == 200
        await first.ended()
        second.frame(0, rtp(900))
        _, after = await reader.packet()
        numbers = [int.from_bytes(packet[2:4]) for packet in (before, after)]
        assert (numbers, before[8:12]) == ([7, 8], after[8:12]), "one stream, for its reader"
        closed = {c.role: c.reason for c in await happened(server, SessionClosed, count=2)}
        assert closed[Role.PUBLISH] is CloseReason.OVERRIDDEN
        assert Role.READ not in closed
        path = server.paths.get("cam")
        assert path is not None
        assert path.source is session_of(server, second)
        assert len(await happened(server, PathReady, count=1)) == 1


async def test_a_path_that_is_not_given_up(open_server: Open) -> None:
    async with (
        open_server(paths={"cam": {"override_publisher": False}}) as server,
        Client.connect(server) as first,
        Client.connect(server) as late,
    ):
        assert (await late.ask("ANNOUNCE", body=SDP)).status == 200
        for track in range(2):
            await late.ask("SETUP", f"cam/streamid={track}", "Transport: RTP/AVP/TCP")
        await first.publish()
        assert (await late.ask("RECORD")).status == 400
        late.session = ""
        async with Client.connect(server) as later:
            assert (await later.ask("ANNOUNCE", body=SDP)).status == 400
        path = server.paths.get("cam")
        assert path is not None
        assert path.source is session_of(server, first)


async def test_the_most_readers(open_server: Open) -> None:
    async with (
        open_server(paths={"cam": {"max_readers": 1}}) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as first,
        Client.connect(server) as second,
    ):
        await publisher.publish()
        assert (await first.read()).status == 200
        assert (await second.read()).status == 400
        await first.ask("TEARDOWN")
        assert (await second.read()).status == 200


async def test_a_kick_ends_session_and_connection_once(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        await reader.read()
        session = session_of(server, reader)
        server.registry.close(session, CloseReason.KICKED)
        server.registry.close(session, CloseReason.KICKED)
        await reader.ended()
        assert [c.reason for c in await happened(server, SessionClosed)] == [CloseReason.KICKED]
        assert server.registry.sessions() == [session_of(server, publisher)]
        path = server.paths.get("cam")
        assert path is not None
        assert not path.readers


async def test_a_client_that_hangs_up(open_server: Open) -> None:
    async with open_server() as server:
        async with Client.connect(server) as publisher:
            await publisher.publish()
            publisher.frame(0, rtp(1))
            await publisher.ask("OPTIONS")
        (closed,) = await happened(server, SessionClosed)
        assert (closed.reason, closed.role, closed.totals.packets_received) == (
            CloseReason.PEER,
            Role.PUBLISH,
            1,
        )


async def test_a_publisher_that_falls_silent(open_server: Open) -> None:
    async with open_server(read_timeout=0.3) as server, Client.connect(server) as publisher:
        await publisher.publish()
        await publisher.ended()
        (closed,) = await happened(server, SessionClosed)
        assert closed.reason is CloseReason.READ_TIMEOUT


async def test_a_client_that_says_nothing_is_counted(open_server: Open) -> None:
    async with open_server(read_timeout=0.3) as server:
        async with Client.connect(server) as client:
            await client.ended()
        await server.rtsp.close()  # when it returns, the server has heard of it too
        assert server.rtsp.closures == {"read_timeout": 1}


async def test_a_reader_over_udp_that_falls_silent(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.media.rtsp.protocol.SESSION_TIMEOUT", 0.3)
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        await reader.read(transport="RTP/AVP;unicast;client_port=5000-5001")
        await reader.ended()
        (closed,) = await happened(server, SessionClosed)
        assert (closed.role, closed.reason) == (Role.READ, CloseReason.READ_TIMEOUT)


async def test_a_paused_publisher_gives_up_its_path_and_keeps_its_totals(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        await reader.read()
        publisher.frame(0, rtp(1))
        assert (await publisher.ask("PAUSE")).status == 200
        await reader.ended()
        session = session_of(server, publisher)
        assert (session.role, server.paths.get("cam")) == (Role.IDLE, None)
        assert (await publisher.ask("RECORD")).status == 200
        publisher.frame(0, rtp(2))
        await publisher.ask("OPTIONS")
        assert server.registry.totals([session])[0].packets_received == 2


async def test_a_paused_reader_gets_nothing_until_it_plays_again(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:
        await publisher.publish()
        await reader.read()
        publisher.frame(0, rtp(1))
        assert await reader.packet() == (0, rtp(1))
        assert (await reader.ask("PAUSE")).status == 200
        assert session_of(server, reader).role is Role.IDLE
        publisher.frame(0, rtp(2))
        await publisher.ask("OPTIONS")
        assert (await reader.ask("PLAY")).status == 200
        publisher.frame(0, rtp(3))
        assert await reader.packet() == (0, rtp(3))


async def test_bytes_that_are_no_message(open_server: Open) -> None:
    async with open_server() as server, Client.connect(server) as client:
        await client.publish()
        client.send(b"\x16\x03\x01" + bytes(64))
        answer = await client.receive()
        assert getattr(answer, "status", None) == 400
        await client.ended()
        (closed,) = await happened(server, SessionClosed)
        assert closed.reason is CloseReason.PROTOCOL_ERROR


async def test_a_crowd_that_does_anything_leaves_nothing(
    open_server: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty clients take every step in any order, over both transports, and hang up when they like."""

    async def wander(server: Server, seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(5):
            async with Client.connect(server) as client:
                for _ in range(choice.randrange(12)):
                    method = choice.choice([*Method, "SETUP", "SETUP", "PLAY", "RECORD"])
                    path = choice.choice(["a", "b", "cam"])
                    ports = choice.randrange(5000, 60000, 2)
                    transport = choice.choice(
                        ["RTP/AVP/TCP", f"RTP/AVP;client_port={ports}", "RTP/AVP/TCP;interleaved=0-1"]
                    )
                    end = (
                        choice.choice(["", "/trackID=0", "/streamid=0", "/streamid=1"])
                        if method == "SETUP"
                        else ""
                    )
                    client.frame(choice.randrange(4), rtp(choice.randrange(100)))
                    try:
                        await client.ask(
                            method,
                            path + end,
                            f"Transport: {transport}",
                            body=SDP if method == "ANNOUNCE" else b"",
                        )
                    except (asyncio.IncompleteReadError, ConnectionError):
                        break  # sent away, by another publisher or by the end of its own

    async with open_server() as server:
        await asyncio.gather(*(wander(server, seed) for seed in range(20)))
        opened = server.registry.service("RTSP").total_sessions
        assert opened > 20
        closed = await happened(server, SessionClosed, count=opened)
        assert len({c.session for c in closed}) == len(closed) == opened
        assert server.registry.sessions() == []
        assert list(server.paths) == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_leaving_says_goodbye_to_everyone(open_server: Open) -> None:
    async with AsyncExitStack() as clients:
        async with open_server() as server:
            publisher = await clients.enter_async_context(Client.connect(server))
            reader = await clients.enter_async_context(Client.connect(server))
            await publisher.publish()
            await reader.read()
        for client in (publisher, reader):
            await client.ended()
        reasons = [c.reason for c in await happened(server, SessionClosed, count=2)]
        assert reasons == [CloseReason.SHUTDOWN, CloseReason.SHUTDOWN]
        assert server.rtsp.connections == {Protocol.RTSP: {}}


@pytest.mark.parametrize(
    ("key", "attribute", "kind"),
    [
        ("rtspAddress", "rtsp_address", socket.SOCK_STREAM),
        ("rtpAddress", "rtp_address", socket.SOCK_DGRAM),
    ],
)
async def test_a_port_that_is_taken(
    open_server: Open, key: str, attribute: str, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        complaint = f"RTSP: cannot listen on {address} ({key}): address already in use"
        with pytest.raises(ListenError, match=re.escape(complaint)):
            async with open_server(**{attribute: address}):
                pass


async def test_clients_leave_descriptors_for_the_operator(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (6, 6))
    async with open_server() as server, AsyncExitStack() as clients:
        for _ in range(3):
            client = await clients.enter_async_context(Client.connect(server))
            assert (await client.ask("OPTIONS")).status == 200
        late = await clients.enter_async_context(Client.connect(server))
        await late.ended()
        assert (await client.ask("OPTIONS")).status == 200


async def test_every_interface(open_server: Open) -> None:
    anywhere = {"rtsp_address": ":0", "rtp_address": ":0", "rtcp_address": ":0"}
    async with open_server(**anywhere) as server, Client.connect(server) as client:
        assert (await client.ask("OPTIONS")).status == 200


async def test_rtsp_that_is_off(open_server: Open) -> None:
    async with open_server(rtsp=False) as server:
        assert (list(server.registry.services), server.rtsp.connections) == ([], {})


async def test_a_certificate_that_is_missing(open_server: Open) -> None:
    with pytest.raises(ListenError, match=re.escape("RTSPS: cannot read /nowhere.crt (rtspServerCert)")):
        async with open_server(
            rtsp_encryption="strict", rtsps_address="127.0.0.1:0", rtsp_server_cert="/nowhere.crt"
        ):
            pass


async def test_a_certificate_that_is_none(open_server: Open, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(ListenError, match=r"^RTSPS: no certificate in .*junk.pem \(rtspServerCert\)$"):
        async with open_server(
            rtsp_encryption="strict",
            rtsps_address="127.0.0.1:0",
            rtsp_server_cert=str(junk),
            rtsp_server_key=str(junk),
        ):
            pass
