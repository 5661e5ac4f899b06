"""Every hook of a real server with a real client: when it runs, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.server import Server
from tests.core.hooks.notes import Notes, until
from tests.media.conftest import configuration
from tests.media.rtsp.live import Client

TCP = "Transport: RTP/AVP/TCP;unicast"


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def path_hooks(notes: Notes) -> dict[str, object]:
    return {
        "run_on_ready": notes.command("ready", lasts=True),
        "run_on_not_ready": notes.command("notReady"),
        "run_on_read": notes.command("read", lasts=True),
        "run_on_unread": notes.command("unread"),
    }


async def test_every_hook_and_what_it_is_told(notes: Notes) -> None:
    conf = configuration(
        paths={
            "~^(.+)/(.+)$": path_hooks(notes),
            "start": {"run_on_init": notes.command("init", lasts=True)},
        },
        run_on_connect=notes.command("connect", lasts=True),
        run_on_disconnect=notes.command("disconnect"),
    )
    async with Server(conf) as server:
        port = str(server.registry.service("RTSP").listeners[0].endpoint.port)
        assert (await notes.of("init"))["told"] == {
            "MTX_PATH": "start",
            "RTSP_PATH": "start",
            "RTSP_PORT": port,
        }
        of_path = {
            "MTX_PATH": "live/cam",
            "RTSP_PATH": "live/cam",
            "RTSP_PORT": port,
            "G1": "live",
            "G2": "cam",
        }
        async with Client.connect(server) as publisher, Client.connect(server) as reader:
            assert (await publisher.publish("live/cam")).status == 200
            (source,) = server.registry.sessions()
            source_id = str(source.id.uuid)
            of_source = of_path | {
                "MTX_QUERY": "",
                "MTX_SOURCE_TYPE": "rtspSession",
                "MTX_SOURCE_ID": source_id,
            }
            assert (await notes.of("ready"))["told"] == of_source
            assert (await reader.ask("DESCRIBE", "live/cam?a=b")).status == 200
            assert (
                await reader.ask("SETUP", "live/cam/trackID=0?a=b", "Transport: RTP/AVP/TCP;unicast")
            ).status == 200
            assert (await reader.ask("PLAY", "live/cam")).status == 200
            session = server.registry.sessions()[-1]
            of_reader = of_path | {
                "MTX_QUERY": "a%3Db",
                "MTX_READER_TYPE": "rtspSession",
                "MTX_READER_ID": str(session.id.uuid),
            }
            note = await notes.of("read")
            assert note["told"] == of_reader
            assert note["arguments"] == [
                "live/cam",
                "a%3Db",
                "$MTX_CONN_ID",
                str(session.id.uuid),
                "$MTX_SOURCE_ID",
                "live",
                "x a%3Db",
            ]
            await notes.of("connect", count=2)
            connections = {
                str(one.uuid) for table in server.rtsp.connections.values() for one in table.values()
            }
            connected = [note["told"] for note in notes.all() if note["hook"] == "connect"]
            assert {told.pop("MTX_CONN_ID") for told in connected} == connections
            assert connected == [{"MTX_CONN_TYPE": "rtspConn", "RTSP_PORT": port}] * 2
            await until(lambda: server.runner.running == 5)  # a command may be quicker than who starts it

            assert (await reader.ask("PAUSE", "live/cam")).status == 200
            assert (await notes.of("unread"))["told"] == of_reader
            assert (await reader.ask("PLAY", "live/cam")).status == 200
            await notes.of("read", count=2)
        assert (await notes.of("notReady"))["told"] == of_source
        await notes.of("unread", count=2)
        await notes.of("disconnect", count=2)
        await until(lambda: server.runner.running == 1)
    assert server.runner.running == 0
    assert server.runner.failed.total() == 0


async def test_those_who_tell_of_an_end_are_run_when_the_server_stops(notes: Notes) -> None:
    conf = configuration(
        paths={"all_others": path_hooks(notes)}, run_on_disconnect=notes.command("disconnect")
    )
    async with Server(conf) as server, Client.connect(server) as publisher:
        assert (await publisher.publish()).status == 200
        await notes.of("ready")
        await server.__aexit__(None, None, None)
        assert {note["hook"] for note in notes.all()} == {"ready", "notReady", "disconnect"}


async def test_hooks_on_the_way_out_belong_to_the_configuration_they_began_with(notes: Notes) -> None:
    async with Server(configuration(paths={"cam": path_hooks(notes)})) as server:
        async with Client.connect(server) as publisher:
            assert (await publisher.publish()).status == 200
            await notes.of("ready")
            await server.store.delete_path("cam")
        await notes.of("notReady")


async def test_init_follows_the_configuration_and_leaves_alone_what_did_not_change(notes: Notes) -> None:
    def lasting(text: str) -> str:
        return notes.command(text, lasts=True)

    paths: dict[str, dict[str, object]] = {name: {"run_on_init": lasting(f"{name}1")} for name in "ab"}
    async with Server(configuration(paths=paths, hooks_from_api=True)) as server:
        await notes.of("a1")
        await notes.of("b1")
        await server.store.delete_path("b")
        await server.store.add_path("c", {"runOnInit": lasting("c1")})
        await notes.of("c1")
        await until(lambda: server.runner.running == 2)
        await server.store.delete_path("c")
        await server.store.patch_path("a", {"runOnInit": lasting("a2")})
        await notes.of("a2")
        await until(lambda: server.runner.running == 1)
    assert sorted(note["hook"] for note in notes.all()) == ["a1", "a2", "b1", "c1"]
