"""Event streams of operators end with their access, however they came by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from headgate.server import Server
from tests.media.conftest import configuration

LOCAL = "127.0.0.1:0"
OPERATE = [{"action": "api"}]
ANYBODY = {"user": "any", "ips": ["127.0.0.1"], "permissions": OPERATE}
BOB = {"user": "bob", "pass": "first", "permissions": OPERATE}
EVE = {"user": "eve", "pass": "other", "permissions": OPERATE}


@asynccontextmanager
async def watching(server: Server, *, auth: tuple[str, str] | None) -> AsyncIterator[httpx.Response]:
    async with (
        httpx.AsyncClient(base_url=f"http://{server.operator}", trust_env=False, timeout=10) as http,
        http.stream("GET", "/events", auth=auth) as answer,
    ):
        assert answer.status_code == 200
        yield answer


async def end_of(answer: httpx.Response) -> None:
    async with asyncio.timeout(10):
        async for _ in answer.aiter_bytes():
            pass


@pytest.mark.parametrize(
    ("auth", "users"),
    [
        (("bob", "first"), [EVE]),
        (("bob", "first"), [{**BOB, "pass": "second"}, EVE]),
        (("bob", "first"), [{**BOB, "permissions": [{"action": "metrics"}]}, EVE]),
        (None, [BOB, EVE]),
    ],
)
async def test_a_stream_ends_when_its_access_is_taken(
    auth: tuple[str, str] | None, users: list[dict[str, Any]]
) -> None:
    present = [BOB, EVE] if auth else [ANYBODY, EVE]
    settings = configuration(api=True, api_address=LOCAL, auth_internal_users=present)
    async with (
        Server(settings) as server,
        watching(server, auth=auth) as taken,
        watching(server, auth=("eve", "other")) as other,
    ):
        assert len(server.leases) == 2
        await server.store.patch_global({"authInternalUsers": users})
        await end_of(taken)
        assert not other.is_closed
        assert len(server.leases) == 1
        await server.store.patch_global({"logLevel": "warn"})
        async with asyncio.timeout(10):
            async for line in other.aiter_lines():
                if "configuration.changed" in line and "logLevel" in line:
                    break
