"""S-24: where sources may not be, however their URL is written and whatever its name resolves to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from headgate.core.config.networks import parse_network
from headgate.core.service import Endpoint
from headgate.media.source import SourceFailed
from headgate.media.source_address import SourceAddresses
from headgate.server import Server
from tests.media.conftest import Open, configuration
from tests.media.conftest import open_server as open_server
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import Client
from tests.media.rtsp.test_pull_service import until_ready

OPERATOR = Endpoint("127.0.0.1", 9997)


def addresses(*allowed: str) -> SourceAddresses:
    return SourceAddresses(
        allowed=lambda: [parse_network(one) for one in allowed], operators=lambda: [OPERATOR]
    )


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "::",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "camera.invalid",
    ],
)
def test_nowhere_is_a_camera(ip: str) -> None:
    for written in (True, False):
        with pytest.raises(SourceFailed):
            addresses().check(ip, port=554, written=written)


@pytest.mark.parametrize(
    "ip", ["10.0.0.1", "172.16.3.4", "192.168.1.2", "100.64.0.9", "fd12::1", "8.8.8.8", "2a00::1"]
)
def test_private_networks_are_where_cameras_are(ip: str) -> None:
    for written in (True, False):
        addresses().check(ip, port=554, host="door.lan", written=written)


@pytest.mark.parametrize(
    ("ip", "host", "written", "may"),
    [
        ("127.0.0.1", "", True, True),
        ("127.0.0.1", "127.0.0.1", True, True),
        ("127.0.0.1", "localhost", True, True),
        ("::1", "localhost", True, True),
        ("127.0.1.1", socket.gethostname(), True, True),
        ("127.0.0.1", "camera.example", True, False),
        ("127.0.0.1", "localhost", False, False),
        ("127.0.0.1", "", False, False),
        ("::ffff:127.0.0.1", "", False, False),
        ("64:ff9b::7f00:1", "", False, False),
    ],
)
def test_this_machine_is_one_that_an_operator_names(ip: str, host: str, *, written: bool, may: bool) -> None:
    if may:
        addresses().check(ip, port=8554, host=host, written=written)
        return
    with pytest.raises(SourceFailed, match="this machine"):
        addresses().check(ip, port=8554, host=host, written=written)


def test_the_operators_listener_is_no_source() -> None:
    for ip in ("127.0.0.1", "::1", "127.0.0.9"):
        with pytest.raises(SourceFailed, match="operator's listener"):
            addresses().check(ip, port=9997, written=True)
    addresses().check("10.99.99.99", port=9997, written=True)


def test_what_the_configuration_allows() -> None:
    addresses("169.254.7.0/24", "127.0.0.1").check("169.254.7.9", port=554, written=False)
    addresses("169.254.7.0/24", "127.0.0.1").check("127.0.0.1", port=554, host="x", written=False)
    with pytest.raises(SourceFailed, match="link-local"):
        addresses("169.254.7.0/24").check("169.254.169.254", port=554, written=True)


class Canary:
    """Somebody who must not be called."""

    def __init__(self) -> None:
        self.port = 0
        self.calls = 0

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1") -> AsyncIterator[Canary]:
        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.calls += 1
            writer.close()

        async with await asyncio.start_server(called, host, 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


class Resolver:
    """A name that is another address each time it is asked for."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def getaddrinfo(host: str, port: int, **given: Any) -> Sequence[Any]:
            if host != "flip.example":
                return await real(host, port, **given)
            self.asked += 1
            answer = self.answers[min(self.asked, len(self.answers)) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


async def complaint(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_name_that_leads_home(
    open_server: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resolver = Resolver("127.0.0.1")
    resolver.install(monkeypatch)
    async with Canary().listening() as canary:
        source = {"source": f"rtsp://flip.example:{canary.port}/x"}
        async with open_server(paths={"cam": source}):
            await complaint(caplog, "sources are not fetched from 127.0.0.1")
        assert canary.calls == 0


async def test_a_name_is_asked_for_once_and_the_answer_connected_to(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = Resolver("127.0.0.1", "169.254.169.254")
    resolver.install(monkeypatch)
    async with open_server() as camera, Client.connect(camera) as publisher:
        assert (await publisher.publish("cam")).status == 200
        port = camera.registry.service("RTSP").listeners[0].endpoint.port
        source = {"source": f"rtsp://flip.example:{port}/cam", "rtsp_transport": "tcp"}
        async with open_server(paths={"door": source}, source_networks=["127.0.0.0/8"]) as server:
            await until_ready(server, "door")
            assert resolver.asked == 1
            (session,) = server.registry.sessions()
            assert session.remote == Endpoint("127.0.0.1", port)


async def test_a_client_does_not_choose_this_machine(
    open_server: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Where an expression puts a part of the path's name in the place of the host."""
    async with Canary().listening() as canary:
        source = {"source": f"rtsp://$G1:{canary.port}/x", "source_on_demand": True}
        async with (
            open_server(paths={"~^from/(.+)$": {**source, "source_on_demand_start_timeout": 1}}) as server,
            AsyncExitStack() as clients,
        ):
            hosts = ("127.0.0.1", "localhost", "169.254.169.254")
            readers = [await clients.enter_async_context(Client.connect(server)) for _ in hosts]
            asking = (
                reader.ask("DESCRIBE", f"from/{host}") for reader, host in zip(readers, hosts, strict=True)
            )
            assert [answer.status for answer in await asyncio.gather(*asking)] == [404, 404, 404]
        assert canary.calls == 0
        assert "link-local" in caplog.text
        assert "which the configuration does not name" in caplog.text


async def test_another_server_does_not_send_us_home(
    open_server: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with Canary().listening() as canary:
        sent = {"source": "redirect", "source_redirect": f"rtsp://127.0.0.1:{canary.port}/x"}
        async with open_server(paths={"sent": sent}) as camera:
            port = camera.registry.service("RTSP").listeners[0].endpoint.port
            # `localhost` is another host than 127.0.0.1, as far as a URL tells.
            async with open_server(paths={"cam": {"source": f"rtsp://localhost:{port}/sent"}}):
                await complaint(caplog, "which the configuration does not name")
        assert canary.calls == 0


async def test_the_operators_listener_of_this_very_server(caplog: pytest.LogCaptureFixture) -> None:
    async with Server(configuration(api=True, api_address="127.0.0.1:0")) as server:
        assert server.operator is not None
        await server.store.add_path("cam", {"source": f"rtsp://localhost:{server.operator.port}/x"})
        await complaint(caplog, "it is the operator's listener")


class Camera:
    """Grants UDP, and says that its packets come from elsewhere. Notes what it is asked for."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.methods: list[str] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.methods.append(request.partition(" ")[0])
                headers = dict(line.split(": ", 1) for line in request.splitlines()[1:] if line)
                body = SDP if self.methods[-1] == "DESCRIBE" else b""
                lines = ["RTSP/1.0 200 OK", f"CSeq: {headers['CSeq']}", f"Content-Length: {len(body)}"]
                if body:
                    lines.append("Content-Type: application/sdp")
                if "Transport" in headers:
                    there = f"server_port=6970-6971;source={self.source}"
                    lines += ["Session: 1", f"Transport: {headers['Transport']};{there}"]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize(("source", "plays"), [("169.254.169.254", False), ("10.0.0.9", True)])
async def test_a_camera_does_not_have_our_reports_sent_to_where_none_is(
    open_server: Open, caplog: pytest.LogCaptureFixture, source: str, *, plays: bool
) -> None:
    camera = Camera(source)
    async with camera.listening() as port:
        pull = {"source": f"rtsp://127.0.0.1:{port}/cam", "rtsp_transport": "udp"}
        async with open_server(paths={"cam": pull}):
            if plays:
                async with asyncio.timeout(10):
                    while "PLAY" not in camera.methods:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            else:
                await complaint(caplog, f"sources are not fetched from {source}: it is link-local")
                assert "PLAY" not in camera.methods
