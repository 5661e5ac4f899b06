from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from headgate.api.long_list import PIECE, long_list
from tests.api.others import Others, be_busy


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
    def slowly(piece: Sequence[int]) -> Sequence[int]:
        be_busy()
        return piece

    async with Others.beside() as others:
        await long_list(range(20 * PIECE), slowly)
    assert others.turns >= 19
