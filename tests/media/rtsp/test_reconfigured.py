"""The RTSP server and its paths follow a configuration that changes, and sessions go on where they can."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.core.config.change import Change
from headgate.core.errors import HeadgateError, ListenError
from headgate.core.events import ServiceMoved, ServiceStopped, SessionClosed
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import CloseReason
from headgate.media.rtsp.new_listeners import NewListeners
from headgate.server import Server
from tests.media.conftest import Open, configuration
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


async def test_nobody_who_connects_meanwhile_notices(open_server: Open) -> None:
    answered = asyncio.Semaphore(0)

    async def come_again(server: Server) -> None:
        while True:
            async with Client.connect(server) as client:
                assert (await client.ask("OPTIONS")).status == 200
                answered.release()

    async with open_server(read_timeout=60.0) as server, asyncio.TaskGroup() as tasks:
        coming = [tasks.create_task(come_again(server)) for _ in range(4)]
        for seconds in range(20, 40):
            await server.store.patch_global({"readTimeout": f"{seconds}s", "writeTimeout": f"{seconds}s"})
            async with asyncio.timeout(10):
                for _ in range(8):
                    await answered.acquire()
        for task in coming:
            task.cancel()


@pytest.mark.parametrize("host", ["0.0.0.0", "", "[::]"])
async def test_a_listener_moves_to_another_address_with_its_port(open_server: Open, host: str) -> None:
    address = free_port()
    port = address.rpartition(":")[2]
    async with open_server(rtsp_address=address) as server, AsyncExitStack() as stack:
        clients = await audience(stack, server, readers=1)
        for there in (f"{host}:{port}", address):
            await server.store.patch_global({"rtspAddress": there})
            assert str(rtsp_port(server)) == port
            clients += [await stack.enter_async_context(Client.connect(server))]
            assert (await clients[-1].read()).status == 200
        await flows(clients)
        assert reasons(server) == []


async def test_a_listener_that_was_opened_beside_is_closed_again(open_server: Open) -> None:
    """On the same port, and then another part cannot follow."""

    class Stubborn:
        async def prepare(self, _: object) -> None:
            raise ListenError("no")

    address = free_port()
    wider = address.replace("127.0.0.1", "0.0.0.0")
    async with open_server(rtsp_address=address) as server, AsyncExitStack() as stack:
        before, configuration = server.registry.service("RTSP").listeners, server.configuration
        clients = await audience(stack, server, readers=1)
        server.store.register(Stubborn())
        for given in ({"rtspAddress": wider}, {"readTimeout": "9s"}):
            with pytest.raises(HeadgateError, match="no"):
                await server.store.patch_global(given)
        now = server.registry.service("RTSP").listeners
        assert (now, server.configuration) == (before, configuration)
        clients += [await stack.enter_async_context(Client.connect(server))]
        assert (await clients[-1].read()).status == 200
        await flows(clients)


@pytest.mark.parametrize(("here", "there"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")])
async def test_udp_ports_move_to_another_address_under_those_who_use_them(
    open_server: Open, here: str, there: str
) -> None:
    port = free_pair()

    def addresses(host: str) -> tuple[str, str]:
        return f"{host}:{port}", f"{host}:{port + 1}"

    rtp_address, rtcp_address = addresses(here)
    async with (
        open_server(rtp_address=rtp_address, rtcp_address=rtcp_address) as server,
        AsyncExitStack() as stack,
    ):
        old = await over_udp(stack, server, "old")
        for number, host in enumerate((there, here, there)):
            rtp_address, rtcp_address = addresses(host)
            await server.store.patch_global({"rtpAddress": rtp_address, "rtcpAddress": rtcp_address})
            assert server.registry.service("RTSP").listeners[1].endpoint == Endpoint(host, port)
            new = await over_udp(stack, server, f"new/{number}")
            for pair in (old, new):
                await asyncio.to_thread(pair.flows, port)
        assert reasons(server) == []


@dataclass
class Pair:
    """A publisher and a reader over UDP."""

    sending: socket.socket
    receiving: socket.socket
    sequence: int = 0

    def flows(self, port: int) -> None:
        give_up = time.monotonic() + 10
        while True:  # a datagram may be lost in the moment in which a port closes
            self.sequence += 1
            self.sending.sendto(rtp(self.sequence), ("127.0.0.1", port))
            try:
                data, _ = self.receiving.recvfrom(2048)
            except TimeoutError:
                assert time.monotonic() < give_up, "nothing comes through"
                continue
            if data[12:] == rtp(1)[12:]:
                return


async def over_udp(stack: AsyncExitStack, server: Server, path: str) -> Pair:
    pair = Pair(*(stack.enter_context(even_port()) for _ in range(2)))
    other = stack.enter_context(even_port())
    publisher = await stack.enter_async_context(Client.connect(server))
    ports = [one.getsockname()[1] for one in (pair.sending, other)]
    assert (await publisher.publish(path, ports=ports)).status == 200
    reader = await stack.enter_async_context(Client.connect(server))
    port = pair.receiving.getsockname()[1]
    transport = f"RTP/AVP;unicast;client_port={port}-{port + 1}"
    assert (await reader.read(path, transport=transport)).status == 200
    pair.receiving.settimeout(0.2)
    return pair


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


def free_pair() -> int:
    """The first of two UDP ports that nobody has, at no address."""
    while True:
        with even_port() as even:
            port: int = even.getsockname()[1]
        with (
            suppress(OSError),
            socket.socket(type=socket.SOCK_DGRAM) as even,
            socket.socket(type=socket.SOCK_DGRAM) as odd,
        ):
            even.bind(("0.0.0.0", port))
            odd.bind(("0.0.0.0", port + 1))
            return port


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


async def test_what_was_prepared_before_the_server_drained_is_given_back(open_server: Open) -> None:
    ports = {"rtp_address": "127.0.0.1:0", "rtcp_address": "127.0.0.1:0"}
    async with open_server(**ports) as server:
        # The same free ports in other words: another pair is opened.
        words = dict.fromkeys(ports, "localhost:0")
        change = Change.between(server.configuration, configuration(**words))
        prepared = await server.rtsp.prepare(change)
        assert isinstance(prepared, NewListeners)
        assert prepared.udp is not None
        taken = [prepared.udp.rtp.port, prepared.udp.rtcp.port]
        server.registry.drain()
        prepared.commit()
        for port in taken:
            await asyncio.to_thread(becomes_free, port)
