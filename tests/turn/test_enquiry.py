"""Another server's word, and what is no word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from headgate.core.auth.outbound import Outbound
from headgate.turn.credentials import Remembered
from headgate.turn.enquiry import Enquiry
from tests.core.auth.servers import serve


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    outbound = Outbound()
    yield outbound
    await outbound.close()


async def ask(outbound: Outbound, status: int, body: str) -> Remembered | None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    async with serve(answer) as url, asyncio.timeout(10):
        return await Enquiry(outbound).ask(url, name="carol", realm="x", client="198.51.100.7")


async def test_a_password_with_and_without_an_end(outbound: Outbound) -> None:
    said = await ask(outbound, 200, '{"password": "hers"}')
    assert said is not None
    assert (said.password, said.expires) == ("hers", None)
    said = await ask(outbound, 200, '{"password": "hers", "expires": 1800000000}')
    assert said is not None
    assert said.expires == 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ""),
        (403, '{"password": "hers"}'),
        (302, ""),
        (200, ""),
        (200, "[" * 100_000),
        (200, "[]"),
        (200, '{"password": 5}'),
        (200, '{"password": "a\\nb"}'),
        (200, '{"password": "x", "expires": "soon"}'),
        (200, '{"password": "x", "expires": true}'),
        (200, '{"password": "x", "expires": NaN}'),
        (200, '{"password": "x", "expires": Infinity}'),
        (200, '{"password": "x", "expires": 1' + 400 * "0" + "}"),
    ],
)
async def test_what_lets_nobody_in(outbound: Outbound, status: int, body: str) -> None:
    said = await ask(outbound, status, body)
    assert said is not None
    assert said.password is None


async def test_a_server_in_trouble_has_said_nothing(outbound: Outbound) -> None:
    assert await ask(outbound, 503, "") is None
    enquiry = Enquiry(outbound)
    assert await enquiry.ask("http://127.0.0.1:1/", name="carol", realm="x", client="::1") is None
