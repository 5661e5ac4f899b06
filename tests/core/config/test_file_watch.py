from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from headgate.core.config.file_watch import watch_file, watch_files

PATIENCE = 10.0


def content(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


@asynccontextmanager
async def watched(file: Path) -> AsyncIterator[asyncio.Queue[str | None]]:
    """What the file said each time."""
    told: asyncio.Queue[str | None] = asyncio.Queue()

    async def tell() -> None:
        await told.put(await asyncio.to_thread(content, file))

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch_file(file, tell, interval=0.01, rest=0.05))
        await asyncio.sleep(0)
        yield told
        task.cancel()


def write(file: Path, text: str, *, at: int) -> None:
    """With a time of its own: a file system's clock may be slower than this test."""
    file.write_text(text)
    os.utime(file, ns=(at, at))


async def test_a_change_is_told_once_it_rests(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write(file, "one", at=1)
    async with watched(file) as told:
        # When it first looked is its own affair: change the file until it has seen a change.
        for at in itertools.count(2):
            write(file, "two", at=at)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    assert await told.get() == "two"
                    break
        other = tmp_path / "other"
        write(other, "six", at=1)
        other.replace(file)  # as editors do
        assert await told.get() == "six"
        file.unlink()
        assert await told.get() is None
        write(file, "back", at=3)
        assert await told.get() == "back"


async def test_files_that_belong_together_are_told_once(tmp_path: Path) -> None:
    files = [tmp_path / "key", tmp_path / "chain"]
    told: asyncio.Queue[list[str | None]] = asyncio.Queue()

    async def tell() -> None:
        await told.put([await asyncio.to_thread(content, file) for file in files])

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch_files(files, tell, interval=0.01, rest=0.2))
        for at in itertools.count(1):  # until it has seen a change
            for file in files:
                write(file, str(at), at=at)
                await asyncio.sleep(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    first = await told.get()
                    assert first[0] == first[1]
                    break
        write(files[0], "new", at=10**9)
        write(files[1], "new", at=10**9)
        assert await told.get() == ["new", "new"]
        assert told.empty()
        task.cancel()


async def test_what_changed_before_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write(file, "one", at=1)
    told: asyncio.Queue[str | None] = asyncio.Queue()

    async def tell() -> None:
        text = await asyncio.to_thread(content, file)
        if told.empty() and text == "one":
            write(file, "two", at=2)  # while it is being read
        await told.put(text)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch_files([file], tell, interval=0.01, rest=0.02, at_once=True))
        assert await told.get() == "one"
        assert await told.get() == "two"
        task.cancel()
