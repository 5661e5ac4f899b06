"""F-24: 200 live sessions, while the file is written in a thousand ways, most of them wrong, and changes come
from two sides at once.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from headgate.core.config import Startup
from headgate.core.errors import HeadgateError
from headgate.server import Server
from tests.media.rtsp.test_reconfigured import audience, flows, reasons

READERS = 199
MUTATIONS = 1000
CHANGES = 500
COSTLY_ONES = 5  # of the mutations, each: what takes long to refuse
LONGEST_STALL = 5.0  # seconds; of a machine that does other things as well
SEED = 24
SETTINGS = """\
logLevel: error
api: no
rtspAddress: 127.0.0.1:0
rtpAddress: 127.0.0.1:0
rtcpAddress: 127.0.0.1:0
turn: {interfaces: []}
rooms: {address: ''}
readTimeout: 300s
hls: no
rtmp: no
webrtc: no
srt: no
"""
PATHS = "paths:\n  cam:\n    maxReaders: 500\n"
WHERE = re.compile(r"headgate\.yml:\d+: ")
KEYED = re.compile(r"headgate\.yml:\d+: \S*\w+")


def bomb() -> str:
    """Ten aliases of ten aliases of …"""
    lines = ["x0: &x0 [a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines) + "\n"


GOOD: list[Callable[[random.Random], str]] = [
    lambda dice: SETTINGS + PATHS,
    lambda dice: SETTINGS.replace("300s", f"{dice.randrange(5, 60)}s") + PATHS,
    lambda dice: SETTINGS + PATHS + f"  door{dice.randrange(5)}:\n    maxReaders: {dice.randrange(1, 99)}\n",
    lambda dice: SETTINGS + PATHS.replace("500", str(dice.randrange(400, 600))),
    lambda dice: "# of a person\n" * dice.randrange(1, 50) + SETTINGS + PATHS,
]
BAD: dict[str, tuple[Callable[[random.Random], str], re.Pattern[str]]] = {
    "wrong type": (
        lambda dice: SETTINGS.replace("300s", dice.choice(["ten", "[1]", "{a: b}"])) + PATHS,
        KEYED,
    ),
    "wrong type of a section": (lambda dice: SETTINGS + "paths: 5\n", KEYED),
    "out of range": (lambda dice: SETTINGS + PATHS + f"    maxReaders2: {dice.random()}\n", KEYED),
    "unknown key": (lambda dice: SETTINGS + PATHS + f"key{dice.randrange(9)}: 1\n", KEYED),
    "twice": (lambda dice: SETTINGS + "hls: no\n" + PATHS, KEYED),
    "rules": (lambda dice: SETTINGS + "writeQueueSize: 500\n" + PATHS, KEYED),
    "alias bomb": (lambda dice: SETTINGS + bomb() + PATHS, WHERE),
    "deep": (lambda dice: SETTINGS + "x: " + "[" * dice.randrange(20, 2000), WHERE),
    "cut": (lambda dice: SETTINGS + "paths: {cam: {source: 'publ", WHERE),
    "no YAML": (lambda dice: SETTINGS + PATHS + dice.choice(["\t- x\n", "}\n", "a: b: c\n", "%\n"]), WHERE),
    "control characters": (
        lambda dice: SETTINGS + f"x: '{chr(dice.randrange(1, 8))}'\n",
        re.compile("headgate.yml"),
    ),
    "a taken name": (lambda dice: SETTINGS + PATHS + "  ../x:\n", KEYED),
    "large": (lambda dice: SETTINGS + "#" * (10 << 20), re.compile("larger than")),
}
COSTLY = {1: "alias bomb", 2: "large"}


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """How late the loop was, in seconds, again and again."""
    lags: list[float] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0.01)
            lags.append(loop.time() - began - 0.01)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch())
        yield lags
        task.cancel()


def write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "headgate.yml"
    file.write_text(SETTINGS + PATHS)
    return file


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[tuple[Server, AsyncExitStack]]:
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(file.parent / "state")})
    async with Server(startup) as server, AsyncExitStack() as stack:
        yield server, stack


async def test_a_thousand_files(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(SEED)
    async with serving(file) as (server, stack), watched() as lags:
        clients = await audience(stack, server, readers=READERS)
        names = [name for name in BAD if name not in COSTLY.values()]
        for number in range(MUTATIONS):
            caplog.clear()
            if number % 4 == 0:
                write(file, dice.choice(GOOD)(dice))
                assert await server.store.reload(), caplog.text
                assert server.configuration.path_for("cam").conf_name == "cam"
                continue
            name = COSTLY.get(number % (MUTATIONS // COSTLY_ONES)) or dice.choice(names)
            make, told = BAD[name]
            write(file, make(dice))
            before = server.configuration
            assert not await server.store.reload(), name
            assert server.configuration is before, name
            assert told.search(caplog.text), (name, caplog.text)
        assert reasons(server) == []
        assert len(server.registry.sessions()) == READERS + 1
        await flows(clients)
        assert max(lags) < LONGEST_STALL


async def test_changes_from_two_sides_at_once(file: Path) -> None:
    dice = random.Random(SEED)
    async with serving(file) as (server, stack), watched() as lags:
        clients = await audience(stack, server, readers=READERS)
        refused = taken = 0

        async def by_api(number: int) -> None:
            nonlocal refused, taken
            try:
                match number % 4:
                    case 0:
                        await server.store.add_path(f"new{number}", {"maxReaders": 3})
                    case 1:
                        await server.store.patch_global({"readTimeout": f"{dice.randrange(5, 50)}s"})
                    case 2:
                        await server.store.patch_path_defaults({"maxReaders": dice.randrange(500, 900)})
                    case 3:
                        await server.store.delete_path(f"new{number - dice.choice([3, 7])}")
                taken += 1
            except HeadgateError:
                refused += 1

        async def by_file(number: int) -> None:
            make = dice.choice(GOOD) if number % 2 else BAD[dice.choice(["wrong type", "twice", "cut"])][0]
            write(file, make(dice))
            await server.store.reload()

        async with asyncio.timeout(120):
            for first in range(0, CHANGES, 10):
                async with asyncio.TaskGroup() as tasks:
                    for number in range(first, first + 10):
                        tasks.create_task(by_api(number))
                        if number % 2:
                            tasks.create_task(by_file(number))
        assert taken > CHANGES // 2
        assert reasons(server) == []
        assert len(server.registry.sessions()) == READERS + 1
        await flows(clients)
        assert max(lags) < LONGEST_STALL
