"""The composition root: a whole server started, looked at and stopped inside the test's event loop."""

from __future__ import annotations

import asyncio
import re
import socket

import httpx
import pytest

from headgate.core.errors import ListenError
from headgate.server import Server
from tests.media.conftest import configuration

LOCAL = "127.0.0.1:0"


def taken_port() -> tuple[socket.socket, str]:
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, "127.0.0.1:{1}".format(*taken.getsockname())


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


async def test_an_error_inside_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Server(configuration(api=True, api_address=LOCAL)):
            raise ZeroDivisionError
