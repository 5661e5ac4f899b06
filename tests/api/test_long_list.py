from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest

from headgate.api.long_list import PIECE, long_list


@pytest.mark.parametrize("count", [0, 1, PIECE, PIECE + 1, 10 * PIECE - 1])
async def test_it_is_the_array(count: int) -> None:
    text = await long_list(range(count), lambda piece: [{"n": n, "é": '"]'} for n in piece])
    assert json.loads(text) == [{"n": n, "é": '"]'} for n in range(count)]


async def test_whoever_is_gone_is_left_out() -> None:
    kept = {0, PIECE, 5 * PIECE + 3}
    text = await long_list(range(8 * PIECE), lambda piece: [n for n in piece if n in kept])
    assert json.loads(text) == sorted(kept)
    assert await long_list(range(8 * PIECE), lambda _: []) == b"[]"


async def test_others_have_their_turn() -> None:
    turns = 0

    def slowly(piece: Sequence[int]) -> Sequence[int]:
        until = time.monotonic() + 0.003
        while time.monotonic() < until:
            pass
        return piece

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(others())
        await long_list(range(20 * PIECE), slowly)
        task.cancel()
    assert turns >= 19
