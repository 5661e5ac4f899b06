"""S-19: no path, query or user name is ever a command or an option, whatever an operator made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from headgate.core.session import CloseReason
from headgate.server import Server
from tests.core.hooks.notes import Notes
from tests.media.conftest import configuration
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import Client

TCP = "Transport: RTP/AVP/TCP;unicast"
SHAPES = [
    "$(touch S)",
    "`touch S`",
    ";touch S",
    "|touch S",
    "&touch S",
    "||touch S",
    ">S",
    ">>S",
    "\ntouch S\n",
    "'; touch S; '",
    '"; touch S; "',
    "${IFS}touch${IFS}S",
    "--help",
    "-c",
    "\\\ntouch S",
]


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of server and hooks, in which a sentinel would appear."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    yield directory
    assert list(directory.iterdir()) == [], "a client's text was a command"


def shell(notes: Notes, hook: str) -> str:
    """The worst that an operator can do: a client's text in a shell's command line, without quotes."""
    return f"""sh -c '{notes.command(hook).replace("'", '"')}; echo x $MTX_PATH $MTX_QUERY $G1 >/dev/null'"""


def shell_hooks(notes: Notes) -> dict[str, object]:
    hooks = ("ready", "not_ready", "read", "unread")
    return {f"run_on_{hook}": shell(notes, hook) for hook in hooks}


async def test_no_query_is_a_command(notes: Notes, here: Path) -> None:
    conf = configuration(
        paths={"all_others": shell_hooks(notes)},
        run_on_connect=shell(notes, "connect"),
        run_on_disconnect=shell(notes, "disconnect"),
    )
    async with Server(conf) as server:
        async with Client.connect(server) as publisher, Client.connect(server) as reader:
            await notes.of("connect", count=2)
            assert (await publisher.publish()).status == 200
            await notes.of("ready")  # which a PAUSE would end before it notes anything
            for turn, shape in enumerate(SHAPES, start=1):
                assert (await reader.ask("SETUP", "cam/trackID=0", TCP)).status == 200
                # No RTSP request can carry some of these; other protocols could.
                for session in server.registry.sessions():
                    session.query = session.user = shape
                assert (await reader.ask("PLAY", "cam")).status == 200
                note = await notes.of("read", count=turn)
                assert unquote(note["told"]["MTX_QUERY"]) == shape
                assert unquote(note["arguments"][1]) == shape
                assert (await reader.ask("TEARDOWN", "cam")).status == 200
                reader.session = ""
                assert (await publisher.ask("PAUSE")).status == 200
                assert (await publisher.ask("RECORD")).status == 200
                note = await notes.of("ready", count=turn + 1)
                assert unquote(note["told"]["MTX_QUERY"]) == shape
        await notes.of("unread", count=len(SHAPES))
        await notes.of("not_ready", count=len(SHAPES) + 1)
        await notes.of("disconnect", count=2)


async def test_no_query_of_who_demands_is_a_command(notes: Notes, here: Path) -> None:
    hooks: dict[str, object] = {
        "run_on_demand": shell(notes, "demand"),
        "run_on_un_demand": shell(notes, "un_demand"),
    }
    async with Server(configuration(paths={"~^(.*)$": hooks})) as server:
        for turn, shape in enumerate(SHAPES, start=1):
            query = shape.replace(" ", "${IFS}").replace("\n", "%0A").replace("\\", "%5C")
            async with Client.connect(server) as reader:
                reader.send(f"DESCRIBE {reader.base}/-c{turn}?{query} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                note = await notes.of("demand", count=turn)
            assert unquote(note["told"]["MTX_PATH"]) == f"-c{turn}"
            assert unquote(note["told"]["MTX_QUERY"]) == query
            assert not any(argument.startswith("-") for argument in note["arguments"])
    await notes.of("un_demand", count=len(SHAPES))


async def test_no_path_is_a_command(notes: Notes, here: Path) -> None:
    """Most are no path names and are refused; the rest reach a hook as what they are."""
    conf = configuration(paths={"~^x(.*)$": shell_hooks(notes), "~^(.*)$": shell_hooks(notes)})
    accepted = []
    async with Server(conf) as server:
        for name in (*SHAPES, *(f"x{shape}" for shape in SHAPES)):
            async with Client.connect(server) as publisher:
                publisher.base = publisher.base.replace("rtsp://", "rtsp://u$(touch${IFS}S):`touch${IFS}S`@")
                path = quote(name, safe="-")
                if (await publisher.ask("ANNOUNCE", path, body=SDP)).status != 200:
                    continue
                for track in range(2):
                    await publisher.ask("SETUP", f"{path}/streamid={track}", f"{TCP};mode=record")
                assert (await publisher.ask("RECORD", path)).status == 200
                accepted.append(name)
                note = await notes.of("ready", count=len(accepted))
                assert unquote(note["told"]["MTX_PATH"]) == name
                assert not any(argument.startswith("-") for argument in note["arguments"])
                for session in server.registry.sessions():
                    server.registry.close(session, CloseReason.KICKED)
                await notes.of("not_ready", count=len(accepted))
    assert accepted == ["--help", "-c", "x--help", "x-c"]
