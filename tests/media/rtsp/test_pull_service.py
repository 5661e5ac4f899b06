"""Sources that we fetch outlive the RTSP service: they are none of its clients."""

from __future__ import annotations

import asyncio

from headgate.core.events import PathReady
from headgate.core.session import CloseReason
from headgate.server import Server
from tests.media.conftest import Open
from tests.media.conftest import open_server as open_server
from tests.media.rtsp.live import Client, rtp
from tests.media.rtsp.test_reconfigured import reasons


async def until_ready(server: Server, path: str) -> None:
    async with asyncio.timeout(10):
        with server.bus.subscribe() as told:
            while not any(
                isinstance(one.event, PathReady) and one.event.path == path for one in server.bus.since(0)
            ):
                await told.batch()


def counted(server: Server) -> list[tuple[str, int]]:
    """Each service that is found, with the sessions it counts. They must be those that are there."""
    for service in server.registry.services:
        assert service.sessions == len(server.registry.sessions(service=service))
    assert sum(one.sessions for one in server.registry.services) == len(server.registry.sessions())
    return [(service.name, service.sessions) for service in server.registry.services]


async def test_a_pull_goes_on_while_rtsp_is_off_and_is_counted_all_the_while(open_server: Open) -> None:
    async with open_server() as camera, Client.connect(camera) as publisher:
        assert (await publisher.publish("cam")).status == 200
        source = {"source": f"{publisher.base}/cam", "rtsp_transport": "tcp"}
        async with open_server(paths={"door": source, "all_others": {}}) as server:
            await until_ready(server, "door")
            async with Client.connect(server) as guest:
                assert (await guest.publish("yard")).status == 200
                assert counted(server) == [("RTSP", 2)]
                await server.store.patch_global({"rtsp": False})
                await guest.ended()
            assert reasons(server) == [CloseReason.RECONFIGURED]
            assert counted(server) == [("RTSP", 1)]
            assert server.registry.service("RTSP").listeners == []
            path = server.paths.get("door")
            assert path is not None
            assert path.source is not None
            assert "ffplay" not in "\n".join(server.greeting())

            await server.store.patch_global({"rtsp": True})
            assert counted(server) == [("RTSP", 1)]
            assert server.registry.service("RTSP").listeners != []
            async with Client.connect(server) as reader:
                assert (await reader.read("door")).status == 200
                publisher.frame(0, rtp(1))
                assert (await reader.packet())[1][12:] == rtp(1)[12:]
                assert counted(server) == [("RTSP", 2)]
            assert path.source in server.registry.sessions()
            server.registry.close(path.source, CloseReason.KICKED)
            counted(server)


async def test_a_pull_that_came_before_the_service(open_server: Open) -> None:
    async with open_server() as camera, Client.connect(camera) as publisher:
        assert (await publisher.publish("cam")).status == 200
        source = {"source": f"{publisher.base}/cam", "rtsp_transport": "tcp"}
        async with open_server(rtsp=False, paths={"door": source}) as server:
            await until_ready(server, "door")
            assert counted(server) == [("RTSP", 1)]
            assert "publish:" not in "\n".join(server.greeting())
            await server.store.patch_global({"rtsp": True})
            assert counted(server) == [("RTSP", 1)]
            await server.store.patch_global({"rtsp": False})
            assert reasons(server) == []
            assert counted(server) == [("RTSP", 1)]
