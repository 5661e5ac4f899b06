"""The RTSP server and its paths follow a configuration that changes, and sessions go on where they can."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from headgate.core.errors import HeadgateError, ListenError
from headgate.core.events import ServiceMoved, ServiceStopped, SessionClosed
from headgate.core.service import Protocol
from headgate.core.session import CloseReason
from headgate.server import Server
from tests.media.conftest import Open
from tests.media.rtsp.live import Client, rtp

LOCAL = "127.0.0.1:0"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("certificate")
    key, chain = directory / "server.key", directory / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", chain),
        ],
        check=True,
        capture_output=True,
    )
    return key, chain


READERS = 50


def reasons(server: Server) -> list[CloseReason]:
    return [one.event.reason for one in server.bus.since(0) if isinstance(one.event, SessionClosed)]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return "127.0.0.1:{1}".format(*free.getsockname())


def rtsp_port(server: Server) -> int:
    return server.registry.service("RTSP").listeners[0].endpoint.port


async def audience(stack: AsyncExitStack, server: Server, *, readers: int, path: str = "cam") -> list[Client]:
    """A publisher first, then its readers."""
    clients = [await stack.enter_async_context(Client.connect(server)) for _ in range(readers + 1)]
    assert (await clients[0].publish(path)).status == 200
    for client in clients[1:]:
        assert (await client.read(path)).status == 200
    return clients


async def flows(clients: list[Client]) -> None:
    """Every reader gets what the publisher sends now."""
    clients[0].frame(0, rtp(1))
    for client in clients[1:]:
        assert (await client.packet())[1][12:] == rtp(1)[12:]


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("patch_path_defaults", {"overridePublisher": False}),
        ("patch_path_defaults", {"maxReaders": 1, "record": True, "recordPath": "./r/%path-%s"}),
        ("patch_path_defaults", {"rtspTransport": "tcp", "sourceOnDemandCloseAfter": "5s"}),
        ("patch_global", {"logLevel": "warn", "readTimeout": "20s", "writeTimeout": "9s"}),
        ("patch_global", {"writeQueueSize": 1024, "udpMaxPayloadSize": 1200, "hls": False}),
        ("patch_global", {"rtspTransports": ["tcp"]}),
        ("patch_global", {"rtpAddress": "127.0.0.1:0", "rtcpAddress": "127.0.0.1:0", "rtspAddress": "free"}),
        ("add_path cam", {}),
        ("add_path ~^c", {"maxReaders": 1}),
        ("add_path other", {"source": "rtsp://127.0.0.1:1/x", "sourceOnDemand": True}),
        ("reload", None),
        ("reset", None),
    ],
)
async def test_one_publisher_and_fifty_readers_notice_nothing(
    open_server: Open, call: str, given: dict[str, Any] | None
) -> None:
    verb, _, name = call.partition(" ")
    if given and given.get("rtspAddress") == "free":
        given = {**given, "rtspAddress": free_port()}
    async with open_server() as server, AsyncExitStack() as stack:
        clients = await audience(stack, server, readers=READERS)
        await getattr(server.store, verb)(
            *(argument for argument in (name, given) if argument not in ("", None))
        )
        await flows(clients)
        assert reasons(server) == []
        assert len(server.registry.sessions()) == READERS + 1
        path = server.paths.get("cam")
        assert path is not None
        assert path.conf == server.configuration.path_for("cam").conf
        assert path.conf_name == server.configuration.path_for("cam").conf_name


async def test_limits_are_those_of_now(open_server: Open) -> None:
    async with open_server() as server, AsyncExitStack() as stack:
        await audience(stack, server, readers=1)
        await server.store.patch_path_defaults({"maxReaders": 1, "overridePublisher": False})
        async with Client.connect(server) as late:
            assert (await late.read()).status == 400
        async with Client.connect(server) as second:
            answer = await second.ask(
                "ANNOUNCE", "cam", body=b"v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:0\r\n"
            )
            assert answer.status == 400


@pytest.mark.parametrize("conf_name", ["cam", "~^c"])
async def test_a_path_that_is_deleted_ends(open_server: Open, conf_name: str) -> None:
    async with open_server(paths={conf_name: {}, "other": {}}) as server, AsyncExitStack() as stack:
        others = await audience(stack, server, readers=1, path="other")
        clients = await audience(stack, server, readers=2)
        await server.store.delete_path(conf_name)
        assert reasons(server) == [CloseReason.RECONFIGURED] * 3
        for client in clients:
            await client.ended()
        assert [path.name for path in server.paths] == ["other"]
        await flows(others)


async def test_a_path_that_is_fed_otherwise_ends_and_begins_anew(open_server: Open) -> None:
    async with open_server(paths={"all_others": {}, "cam": {}}) as server, AsyncExitStack() as stack:
        await audience(stack, server, readers=1)
        await server.store.patch_path("cam", {"source": "rtsp://127.0.0.1:1/x"})
        assert reasons(server) == [CloseReason.RECONFIGURED] * 2
        path = server.paths.get("cam")
        assert path is not None
        assert (path.publication, path.conf.source) == (None, "rtsp://127.0.0.1:1/x")
        await server.store.delete_path("cam")
        assert server.paths.get("cam") is None


async def test_a_path_goes_on_under_another_name_of_its_configuration(open_server: Open) -> None:
    async with open_server(paths={"all_others": {}, "cam": {}}) as server, AsyncExitStack() as stack:
        clients = await audience(stack, server, readers=1)
        await server.store.delete_path("cam")
        await flows(clients)
        path = server.paths.get("cam")
        assert path is not None
        assert path.conf_name == "all_others"
        assert (await clients[0].ask("TEARDOWN")).status == 200
        assert server.paths.get("cam") is None


async def test_listeners_move_and_who_is_there_stays(open_server: Open) -> None:
    async with open_server() as server, AsyncExitStack() as stack:
        before = rtsp_port(server)
        clients = await audience(stack, server, readers=1)
        await server.store.patch_global({"rtspAddress": free_port()})
        assert rtsp_port(server) != before
        with pytest.raises(ConnectionRefusedError):
            await refused(before)
        clients += [await stack.enter_async_context(Client.connect(server))]
        assert (await clients[-1].read()).status == 200
        await flows(clients)
        assert any(isinstance(one.event, ServiceMoved) for one in server.bus.since(0))


async def refused(port: int) -> None:
    """The engine closes a listener on a thread of its own: ask until it has."""
    async with asyncio.timeout(10):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()


async def test_timeouts_are_for_new_connections_and_on_the_same_port(open_server: Open) -> None:
    async with open_server(read_timeout=60.0) as server, AsyncExitStack() as stack:
        before = rtsp_port(server)
        clients = await audience(stack, server, readers=1)
        await server.store.patch_global({"readTimeout": "100ms"})
        assert rtsp_port(server) == before
        async with Client.connect(server) as idle:
            await idle.ended()
        await flows(clients)


async def test_a_listener_that_was_exchanged_is_put_back(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same port, and then another part cannot follow."""

    class Stubborn:
        async def prepare(self, _: object) -> None:
            raise ListenError("no")

    async with open_server() as server, AsyncExitStack() as stack:
        before, configuration = rtsp_port(server), server.configuration
        clients = await audience(stack, server, readers=1)
        server.store.register(Stubborn())
        with pytest.raises(HeadgateError, match="no"):
            await server.store.patch_global({"readTimeout": "9s"})
        assert (rtsp_port(server), server.configuration) == (before, configuration)
        clients += [await stack.enter_async_context(Client.connect(server))]
        assert (await clients[-1].read()).status == 200
        await flows(clients)


async def test_udp_ports_stay_for_those_who_use_them(open_server: Open) -> None:
    async with open_server() as server:
        before = [one.endpoint for one in server.registry.service("RTSP").listeners[1:]]
        with even_port() as rtp_socket:
            port = rtp_socket.getsockname()[1]
            async with Client.connect(server) as publisher, Client.connect(server) as reader:
                assert (await publisher.publish()).status == 200
                transport = f"RTP/AVP;unicast;client_port={port}-{port + 1}"
                assert (await reader.read(transport=transport)).status == 200
                await server.store.patch_global({"rtpAddress": "127.0.0.1:00", "rtcpAddress": "127.0.0.1:00"})
                after = [one.endpoint for one in server.registry.service("RTSP").listeners[1:]]
                assert set(before).isdisjoint(after)
                publisher.frame(0, rtp(1))
                rtp_socket.settimeout(10)
                data, sender = await asyncio.to_thread(rtp_socket.recvfrom, 2048)
                assert data[12:] == rtp(1)[12:]
                assert sender[1] == before[0].port
        await asyncio.to_thread(becomes_free, before[0].port)


def even_port() -> socket.socket:
    while True:
        bound = socket.socket(type=socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        if bound.getsockname()[1] % 2 == 0:
            return bound
        bound.close()


def becomes_free(port: int) -> None:
    """The engine closes a port on a thread of its own."""
    give_up = time.monotonic() + 10
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            else:
                return


async def test_a_service_that_is_switched_off_ends_and_can_come_back(open_server: Open) -> None:
    async with open_server() as server, AsyncExitStack() as stack:
        clients = await audience(stack, server, readers=1)
        await server.store.patch_global({"rtsp": False})
        assert reasons(server) == [CloseReason.RECONFIGURED] * 2
        for client in clients:
            await client.ended()
        assert Protocol.RTSP not in server.rtsp.connections
        assert list(server.registry.services) == []
        assert any(isinstance(one.event, ServiceStopped) for one in server.bus.since(0))
        await server.store.patch_global({"rtsp": True})
        await flows(await audience(stack, server, readers=1))


async def test_one_more_service(open_server: Open, certificate: tuple[Path, Path]) -> None:
    async with open_server() as server:
        key, chain = certificate
        await server.store.patch_global(
            {
                "rtspEncryption": "optional",
                "rtspsAddress": LOCAL,
                "rtspServerKey": str(key),
                "rtspServerCert": str(chain),
            }
        )
        assert [service.name for service in server.registry.services] == ["RTSP", "RTSPS"]
        # A key of another certificate: nothing changes.
        with pytest.raises(HeadgateError):
            await server.store.patch_global({"rtspServerKey": str(chain)})
        endpoint = server.registry.service("RTSPS").listeners[0].endpoint
        socket.create_connection((endpoint.host, endpoint.port), timeout=5).close()
