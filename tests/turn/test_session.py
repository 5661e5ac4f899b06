from __future__ import annotations

import asyncio
import time

from headgate.turn.session import ENDLESS, CredentialLease


async def test_a_lease_ends_with_its_credential() -> None:
    ended = asyncio.Event()
    CredentialLease(time.time() + 0.05, on_expiry=ended.set)
    async with asyncio.timeout(10):
        await ended.wait()


async def test_one_that_never_ends_or_was_released() -> None:
    ended = asyncio.Event()
    ENDLESS.release()
    lease = CredentialLease(time.time() + 0.01, on_expiry=ended.set)
    lease.release()
    after = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, after.set)
    await after.wait()
    assert not ended.is_set()
