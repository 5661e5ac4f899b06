"""An HTTP listener that follows its address."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from headgate.api.site import Site
from headgate.core.config import Configuration, GlobalConf
from headgate.core.config.change import Change
from headgate.core.errors import ListenError

PATIENCE = 10.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


def settings(address: str) -> GlobalConf:
    return GlobalConf(api=True, api_address=address)


def change(old: str, new: str) -> Change:
    before, after = (
        dataclasses.replace(Configuration.default(), global_=settings(one)) for one in (old, new)
    )
    return Change.between(before, after)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site("API", lambda: app, switch="api", address="apiAddress", settings=settings("127.0.0.1:0"))
    site.open()
    async with site:
        yield site


def port_of(site: Site) -> int:
    assert site.endpoint is not None
    return site.endpoint.port


async def asked(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{port}/")).text


async def served_at(port: int) -> None:
    """Who asks in the moment in which the old socket closes may be reset."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert await asked(port) == "here"
                return


def joins(host: str, port: int) -> bool:
    """Whether another program can have the port, which does not ask to share it."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["0.0.0.0", "", "[::]"])
async def test_another_address_with_the_same_port(site: Site, host: str) -> None:
    port = port_of(site)
    here = f"127.0.0.1:{port}"
    for old, new in ((here, f"{host}:{port}"), (f"{host}:{port}", here)):
        prepared = await site.prepare(change(old, new))
        assert prepared is not None
        prepared.commit()
        await served_at(port)
        assert port_of(site) == port
        assert not joins("127.0.0.1", port)
    assert site.endpoint is not None
    assert site.endpoint.host == "127.0.0.1"


async def test_a_change_that_is_taken_back(site: Site) -> None:
    port = port_of(site)
    prepared = await site.prepare(change(f"127.0.0.1:{port}", f"0.0.0.0:{port}"))
    assert prepared is not None
    await prepared.rollback()
    assert await asked(port) == "here"
    assert site.endpoint is not None
    assert (site.endpoint.host, joins("127.0.0.1", port)) == ("127.0.0.1", False)


async def test_a_port_that_is_another_programs(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        complaint = f"API: cannot listen on {address} (apiAddress): address already in use"
        with pytest.raises(ListenError, match=re.escape(complaint)):
            await site.prepare(change("127.0.0.1:0", address))
    assert await asked(port_of(site)) == "here"
