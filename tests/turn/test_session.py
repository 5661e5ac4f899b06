from __future__ import annotations

import asyncio
import math
import time

from headgate.core.session import CloseReason
from headgate.turn.credentials import Remembered, rest_password
from headgate.turn.session import ENDLESS, CredentialLease
from tests.turn.live import SECRET, LiveClient, change, open_relay, until_closed


async def test_a_lease_ends_with_its_credential() -> None:
    ended = asyncio.Event()
    expires = time.time() + 0.05
    CredentialLease(expires, on_expiry=ended.set)
    async with asyncio.timeout(10):
        await ended.wait()


async def test_one_that_never_ends_or_was_released() -> None:
    ended = asyncio.Event()
    ENDLESS.release()
    expires = time.time() + 0.01
    lease = CredentialLease(expires, on_expiry=ended.set)
    lease.release()
    after = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, after.set)
    await after.wait()
    assert not ended.is_set()


def short_lived() -> tuple[str, str]:
    """A name that is good for one second at least, and two at most."""
    name = f"{int(time.time()) + 2}:carol"
    return name, rest_password(SECRET.encode(), name)


async def test_a_session_ends_with_its_credential_where_that_is_wanted() -> None:
    async with open_relay(strictExpiry=True) as server, LiveClient.connect(server, *short_lived()) as carol:
        await carol.allocate()
        assert (await until_closed(server)).reason is CloseReason.EXPIRED
        assert server.turn.machine.ports_taken == 0


async def test_and_so_do_those_who_were_here_before_it_was_wanted() -> None:
    async with (
        open_relay() as server,
        LiveClient.connect(server, *short_lived()) as carol,
        LiveClient.connect(server) as bob,
    ):
        await carol.allocate()
        await bob.allocate()
        await change(server, strictExpiry=True)
        assert (await until_closed(server)).reason is CloseReason.EXPIRED
        assert [session.user for session in server.turn.sessions] == ["bob"]


async def test_but_not_where_it_is_wanted_no_more() -> None:
    async with open_relay(strictExpiry=True) as server, LiveClient.connect(server, *short_lived()) as carol:
        await carol.allocate()
        (session,) = server.turn.sessions
        assert session.lease is not ENDLESS
        await change(server)
        assert session.lease is ENDLESS


async def test_an_end_that_is_another_now_is_followed() -> None:
    """Another server may say so with each word; a lease of none is one as well."""
    async with open_relay(strictExpiry=True) as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        (session,) = server.turn.sessions
        assert session.lease is ENDLESS
        credentials = server.turn.machine.credentials
        credentials.remember("carol", Remembered("hers", None, math.inf))
        async with LiveClient.connect(server, "carol", "hers") as carol:
            await carol.allocate()
            for expires in (time.time() + 3600, time.time() + 1):
                credentials.remember("carol", Remembered("hers", expires, math.inf))
                assert await carol.refresh(600) is None
            assert (await until_closed(server)).reason is CloseReason.EXPIRED
            assert server.turn.sessions == [session]
