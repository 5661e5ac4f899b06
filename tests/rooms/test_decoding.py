"""Pictures are decoded elsewhere, in order, and not too many wait."""

from __future__ import annotations

import asyncio

import pytest

from headgate.rooms.decoding import WAITING_LIMIT, Decoding
from headgate.rooms.pictures import Picture


async def test_in_order_and_a_bug_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    decoding = Decoding()
    seen: list[int] = []
    done = asyncio.Event()

    def note(number: int, picture: Picture | None) -> None:
        seen.append(number)
        if number == 1:
            raise RuntimeError("a bug")
        if number == 2:
            done.set()

    for number in range(3):
        assert decoding.submit(b"no picture", lambda picture, number=number: note(number, picture))  # type: ignore[misc]
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(decoding.run())
        async with asyncio.timeout(10):
            await done.wait()
        task.cancel()
    assert seen == [0, 1, 2]
    assert "a bug while showing a picture" in caplog.text


async def test_too_many() -> None:
    decoding = Decoding()
    assert all(decoding.submit(b"", lambda _: None) for _ in range(WAITING_LIMIT))
    assert not decoding.submit(b"", lambda _: None)
    assert decoding.refused == 1
