"""The composition root: a whole server started, looked at and stopped inside the test's event loop."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import httpx
import pytest

from headgate.core.config import Startup
from headgate.core.errors import ListenError
from headgate.core.events import ConnectionClosed, ConnectionOpened, PathNotReady, PathReady
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import CloseReason, Role, SessionState
from headgate.server import Server
from tests.core.auth.servers import Backend, serve
from tests.core.hooks.notes import until
from tests.core.webhooks.receiver import Receiver
from tests.media.conftest import configuration
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import Client, rtp
from tests.media.rtsp.test_server import happened

LOCAL = "127.0.0.1:0"


def taken_port() -> tuple[socket.socket, str]:
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, "127.0.0.1:{1}".format(*taken.getsockname())


async def until_refused(endpoint: Endpoint) -> None:
    """Wait until nobody listens there; closing a listener is the engine's work."""
    while True:
        try:
            _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was being closed just then
        writer.close()


async def test_every_part_is_there_and_goes_away() -> None:
    async with Server(
        configuration(api=True, api_address=LOCAL, metrics=True, metrics_address=LOCAL)
    ) as server:
        assert server.operator is not None
        assert server.metrics is not None
        rtsp = server.registry.service("RTSP").listeners[0].endpoint
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"http://{server.operator}/health")).status_code == 200
            assert (await http.get(f"http://{server.operator}/v3/paths/list")).json()["items"] == []
            answer = await http.get(f"http://{server.metrics}/metrics")
            assert "headgate_" in answer.text
            assert answer.headers.get("server") != "uvicorn"
    for endpoint in (server.operator, server.metrics, rtsp):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(endpoint.host, endpoint.port)
    assert server.bus.closed


async def test_an_event_stream_does_not_hold_it_back() -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        async with Server(configuration(api=True, api_address=LOCAL)) as server:
            request = http.build_request("GET", f"http://{server.operator}/events")
            response = await http.send(request, stream=True)
            assert response.status_code == 200
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 2
        await response.aclose()


@pytest.mark.parametrize(
    ("service", "key", "changes"),
    [
        ("API", "apiAddress", {"api": True, "api_address": "{}"}),
        ("metrics", "metricsAddress", {"metrics": True, "metrics_address": "{}"}),
    ],
)
async def test_a_taken_port_starts_nothing(service: str, key: str, changes: dict[str, object]) -> None:
    taken, address = taken_port()
    given = {name: address if value == "{}" else value for name, value in changes.items()}
    with taken:
        server = Server(configuration(**given))
        complaint = f"{service}: cannot listen on {address} ({key}): address already in use"
        with pytest.raises(ListenError, match=re.escape(complaint)):
            await server.__aenter__()
    rtsp = server.registry.service("RTSP").listeners[0].endpoint
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(rtsp.host, rtsp.port)


async def test_what_it_says_when_it_starts() -> None:
    async with Server(configuration(api=True, api_address=LOCAL)) as server:
        lines = list(server.greeting())
        rtsp, rtp, rtcp = (one.endpoint for one in server.registry.service("RTSP").listeners)
        assert any(f"{rtsp} TCP, {rtp} UDP, {rtcp} UDP" in line for line in lines)
        assert any(f"http://{server.operator}" in line for line in lines)
        assert lines[-2].startswith("publish:  ffmpeg -re ")
        assert lines[-2].endswith(f" -f rtsp rtsp://{rtsp}/cam")
        assert lines[-1] == f"read:     ffplay rtsp://{rtsp}/cam"


async def test_it_names_a_path_that_one_may_publish_to() -> None:
    pulled: dict[str, dict[str, object]] = {"pulled": {"source": "rtsp://10.0.0.1/x"}}
    async with Server(configuration(paths={"studio/1": {}, **pulled})) as server:
        assert list(server.greeting())[-1].endswith("/studio/1")
    async with Server(configuration(paths=pulled)) as server:
        assert not any("ffmpeg" in line for line in server.greeting())


async def test_draining_lets_nobody_in_and_those_who_are_here_go_on() -> None:
    conf = configuration(api=True, api_address=LOCAL, drain_timeout=30.0)
    async with (
        Server(conf) as server,
        httpx.AsyncClient(trust_env=False) as http,
        asyncio.TaskGroup() as tasks,
    ):
        async with (
            Client.connect(server) as publisher,
            Client.connect(server) as reader,
            Client.connect(server) as late,
        ):
            assert (await late.ask("OPTIONS")).status == 200
            assert (await publisher.publish()).status == 200
            assert (await reader.read()).status == 200
            draining = tasks.create_task(server.drain())
            rtsp = server.registry.service("RTSP").listeners[0].endpoint
            async with asyncio.timeout(10):
                await until_refused(rtsp)
            answer = await http.get(f"http://{server.operator}/health/ready")
            assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
            assert (await late.ask("ANNOUNCE", "other", body=SDP)).status == 503
            assert (await late.read()).status == 503
            publisher.frame(0, rtp(1))
            assert (await reader.packet())[1] == rtp(1)
            assert {session.state for session in server.registry.sessions()} == {SessionState.DRAINING}
            assert (await reader.ask("PAUSE")).status == 200
            assert (await reader.ask("PLAY")).status == 200
            assert {session.state for session in server.registry.sessions()} == {SessionState.DRAINING}
            assert not draining.done()
        async with asyncio.timeout(10):
            await draining
        assert server.registry.sessions() == []


async def test_no_change_of_the_configuration_lets_somebody_in_while_it_drains() -> None:
    async with (
        Server(configuration(drain_timeout=30.0)) as server,
        Client.connect(server) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        assert (await publisher.publish()).status == 200
        rtsp = server.registry.service("RTSP").listeners[0].endpoint
        draining = tasks.create_task(server.drain())
        async with asyncio.timeout(10):
            await until_refused(rtsp)
        await server.store.patch_global({"readTimeout": "7s"})
        assert server.registry.service("RTSP").listeners[0].endpoint == rtsp
        async with asyncio.timeout(10):
            await until_refused(rtsp)
        (session,) = server.registry.sessions()
        assert [len(table) for table in server.rtsp.connections.values()] == [1]
        server.registry.close(session, CloseReason.KICKED)
        async with asyncio.timeout(10):
            await draining


async def test_draining_ends_when_its_time_is_over() -> None:
    async with Server(configuration(drain_timeout=0.05)) as server, Client.connect(server) as publisher:
        assert (await publisher.publish()).status == 200
        async with asyncio.timeout(10):
            await server.drain()
        (session,) = server.registry.sessions()
    assert session.close_reason is CloseReason.SHUTDOWN


async def test_a_source_that_is_fetched_is_not_waited_for() -> None:
    async with Server(configuration()) as origin, Client.connect(origin) as publisher:
        assert (await publisher.publish()).status == 200
        port = origin.registry.service("RTSP").listeners[0].endpoint.port
        paths: dict[str, dict[str, object]] = {
            "cam": {"source": f"rtsp://127.0.0.1:{port}/cam", "rtsp_transport": "tcp"}
        }
        async with Server(configuration(drain_timeout=3600.0, paths=paths)) as server:
            await happened(server, PathReady)
            async with asyncio.timeout(10):
                await server.drain()
            assert len(server.registry.sessions()) == 1


async def test_a_source_that_comes_while_it_drains_is_refused_and_no_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Server(configuration()) as origin:
        port = origin.registry.service("RTSP").listeners[0].endpoint.port
        paths: dict[str, dict[str, object]] = {"cam": {"source": f"rtsp://127.0.0.1:{port}/cam"}}
        async with Server(configuration(paths=paths)) as server:
            server.registry.drain()
            await happened(origin, ConnectionClosed)
            await until(lambda: "the server is stopping" in caplog.text)
    assert [one.message for one in caplog.records if one.exc_info] == []


async def test_a_signal_to_read_again_may_come_late() -> None:
    async with Server(configuration()) as server:
        pass
    server.reload()


async def test_nobody_is_waited_for_by_default() -> None:
    async with Server(configuration()) as server, Client.connect(server) as publisher:
        assert (await publisher.publish()).status == 200
        async with asyncio.timeout(10):
            await server.drain()
        assert len(server.registry.sessions()) == 1


async def test_joins_are_measured_once_a_connection() -> None:
    async with (
        Server(configuration()) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        assert (await publisher.publish()).status == 200
        assert (await reader.read()).status == 200
        assert (await reader.ask("PAUSE")).status == 200
        assert (await reader.ask("PLAY")).status == 200
        assert server.rtsp.join_times.count == 1
        assert 0 < server.rtsp.join_times.sum < 10


async def test_connections_are_told_of() -> None:
    async with Server(configuration()) as server:
        async with Client.connect(server) as client:
            assert (await client.ask("OPTIONS")).status == 200
            (connection,) = server.rtsp.connections[Protocol.RTSP].values()
            remote = str(connection.remote)
        await server.rtsp.close()
        told = [p.event for p in server.bus.since(0) if p.event.TYPE.startswith("connection.")]
        same = {"connection": str(connection.uuid), "kind": "rtspConn", "service": "RTSP", "remote": remote}
        assert told == [ConnectionOpened(**same), ConnectionClosed(**same)]


async def test_a_webhook_is_told_of_everything_up_to_the_end() -> None:
    async with Receiver.open() as receiver:
        hook = {"url": receiver.url, "secret": "sixteen characters"}
        async with Server(configuration(webhooks=[hook])) as server, Client.connect(server) as publisher:
            assert (await publisher.publish()).status == 200
        assert [request.document["type"] for request in receiver.requests] == [
            "service.started",
            "connection.opened",
            "session.opened",
            "path.ready",
            "session.changed",
            "path.notReady",
            "session.closed",
            "connection.closed",
        ]


async def test_webhooks_follow_the_file(tmp_path: Path) -> None:
    file = tmp_path / "headgate.yml"
    nothing = "api: no\nrtsp: no\nturn: {interfaces: []}\nrooms: {address: ''}\n"
    file.write_text(nothing)
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(tmp_path / "state")})
    async with Receiver.open() as receiver, Server(startup) as server:
        hook = f'[{{url: "{receiver.url}", secret: sixteen characters}}]'
        file.write_text(f"{nothing}webhooks: {hook}\n")
        assert await server.store.reload()
        (request,) = await receiver.has(1)
        assert (request.document["type"], request.document["keys"]) == ("configuration.changed", ["webhooks"])


async def test_an_error_inside_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Server(configuration(api=True, api_address=LOCAL)):
            raise ZeroDivisionError


async def test_a_wait_for_a_publisher_and_for_a_verdict_end_with_the_server() -> None:
    backend = Backend()
    backend.decide = lambda _: 200
    conf = {"publisher_grace_period": 3600}
    async with serve(backend.answer) as url:
        settings = configuration(paths={"cam": conf}, auth_method="http", auth_http_address=url)
        async with Server(settings) as server, Client.connect(server) as reader:
            async with Client.connect(server) as publisher:
                assert (await publisher.publish()).status == 200
                assert (await reader.read()).status == 200
            while server.registry.sessions()[0].role is not Role.READ:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            backend.decide = lambda _: 503
            await server.store.patch_global({"authHTTPAddress": url + "?again"})
            while len(backend.asked) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5
    assert len([one for one in server.bus.since(0) if isinstance(one.event, PathNotReady)]) == 1
