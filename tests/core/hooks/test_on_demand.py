"""A path that is fed because somebody asks for it. The command notes what it is told; the test publishes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.core.config import Configuration
from headgate.core.session import CloseReason
from headgate.server import Server
from tests.core.hooks.notes import PATIENCE, Notes, until
from tests.media.conftest import configuration
from tests.media.rtsp.live import Client

TCP = "Transport: RTP/AVP/TCP;unicast"
LONG, SHORT = 60.0, 0.05


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def on_demand(notes: Notes, *, start: float = LONG, close: float = LONG) -> Configuration:
    conf: dict[str, object] = {
        "run_on_demand": notes.command("demand", lasts=True),
        "run_on_un_demand": notes.command("unDemand"),
        "run_on_demand_start_timeout": start,
        "run_on_demand_close_after": close,
    }
    return configuration(paths={"~^live/(.+)$": conf, "plain": {}})


async def test_whoever_asks_waits_for_the_publisher_and_one_command_serves_all(notes: Notes) -> None:
    async with (
        Server(on_demand(notes)) as server,
        Client.connect(server) as first,
        Client.connect(server) as second,
        Client.connect(server) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        describing = tasks.create_task(first.ask("DESCRIBE", "live/cam?a=b&token=x"))
        note = await notes.of("demand")
        port = str(server.registry.service("RTSP").listeners[0].endpoint.port)
        assert note["told"] == {
            "MTX_PATH": "live/cam",
            "RTSP_PATH": "live/cam",
            "MTX_QUERY": "a%3Db",
            "RTSP_PORT": port,
            "G1": "cam",
        }
        setting_up = tasks.create_task(second.ask("SETUP", "live/cam/trackID=0", TCP))
        assert (await publisher.ask("OPTIONS", "live/cam")).status == 200
        assert not describing.done()
        assert (await publisher.publish("live/cam")).status == 200
        assert (await describing).status == 200
        assert (await setting_up).status == 200
        assert (await first.read("live/cam")).status == 200
        assert len([note for note in notes.all() if note["hook"] == "demand"]) == 1
        assert server.runner.running == 1
    await notes.of("unDemand")
    assert server.runner.running == 0


async def test_who_waits_in_vain_is_told_and_the_command_is_ended(notes: Notes) -> None:
    async with Server(on_demand(notes, start=SHORT)) as server, Client.connect(server) as reader:
        for turn in (1, 2):
            assert (await reader.ask("DESCRIBE", "live/cam")).status == 404
            await notes.of("unDemand", count=turn)
            await until(lambda: server.runner.running == 0)


async def test_it_ends_when_nobody_has_read_for_long_enough(notes: Notes) -> None:
    async with (
        Server(on_demand(notes, close=SHORT)) as server,
        Client.connect(server) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        async with Client.connect(server) as reader:
            setting_up = tasks.create_task(reader.ask("SETUP", "live/cam/trackID=0", TCP))
            await notes.of("demand")
            assert (await publisher.publish("live/cam")).status == 200
            assert (await setting_up).status == 200
            assert (await reader.ask("PLAY", "live/cam")).status == 200
            await asyncio.sleep(SHORT * 3)  # the time that it must survive is the time of the clock
            assert server.runner.running == 1
        await notes.of("unDemand")
        await until(lambda: server.runner.running == 0)


async def test_a_client_that_asks_and_leaves_keeps_nothing_up(notes: Notes) -> None:
    async with Server(on_demand(notes, close=SHORT)) as server, Client.connect(server) as publisher:
        async with Client.connect(server) as reader:
            reader.send(f"DESCRIBE {reader.base}/live/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            await notes.of("demand")
        assert (await publisher.publish("live/cam")).status == 200
        await notes.of("unDemand")


async def test_it_ends_with_its_publisher(notes: Notes) -> None:
    async with Server(on_demand(notes)) as server, Client.connect(server) as reader:
        async with Client.connect(server) as publisher, asyncio.TaskGroup() as tasks:
            tasks.create_task(reader.ask("DESCRIBE", "live/cam"))
            await notes.of("demand")
            assert (await publisher.publish("live/cam")).status == 200
        await notes.of("unDemand")
        assert server.registry.sessions() == []


async def test_who_waits_is_told_when_the_path_is_not_configured_any_more(notes: Notes) -> None:
    async with (
        Server(on_demand(notes)) as server,
        Client.connect(server) as reader,
        asyncio.TaskGroup() as tasks,
    ):
        asking = tasks.create_task(reader.ask("DESCRIBE", "live/cam"))
        await notes.of("demand")
        await server.store.patch_global({"readTimeout": "7s"})
        assert not asking.done(), "that does not concern it"
        await server.store.delete_path("~^live/(.+)$")
        async with asyncio.timeout(PATIENCE):
            assert (await asking).status == 404
        await until(lambda: server.runner.running == 0)


async def test_where_somebody_publishes_already_nothing_is_run(notes: Notes) -> None:
    async with (
        Server(on_demand(notes)) as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        assert (await publisher.publish("live/cam")).status == 200
        assert (await reader.read("live/cam")).status == 200
        assert (await reader.ask("DESCRIBE", "plain")).status == 404
        for session in server.registry.sessions():
            server.registry.close(session, CloseReason.KICKED)
        assert server.runner.started.total() == 0


async def test_a_server_that_stops_refuses_those_who_wait(notes: Notes) -> None:
    async with Server(on_demand(notes)) as server, Client.connect(server) as reader:
        reader.send(f"DESCRIBE {reader.base}/live/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        await notes.of("demand")
        async with asyncio.timeout(PATIENCE):
            await server.__aexit__(None, None, None)
            await reader.ended()
        assert server.runner.running == 0
        assert [note["hook"] for note in notes.all()] == ["demand", "unDemand"]
