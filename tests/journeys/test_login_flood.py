"""S-34 at the operator's listener: a flood of guesses at hashes that cost what they should."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import argon2
import httpx
import pytest

from tests.journeys.gate import Gate, settings

GUESSES, AT_ONCE, LOGINS = 500, 100, 40
MIB = 1024 * 1024
PERMISSIONS = [{"action": "api"}]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Gate]:
    users = [
        {"user": "any", "ips": ["127.0.0.1"], "permissions": PERMISSIONS},
        *(
            {"user": name, "pass": f"argon2:{argon2.PasswordHasher().hash(name)}", "permissions": PERMISSIONS}
            for name in ("ops", "eve")
        ),
    ]
    with Gate.open(tmp_path, settings(authInternalUsers=users)) as gate:
        yield gate


def of(gate: Gate, address: str) -> httpx.AsyncClient:
    """Somebody at another address of this machine."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=gate.operator, transport=transport, timeout=30.0, trust_env=False)


def peak(gate: Gate) -> int:
    """Bytes of memory that the server held at most."""
    status = Path(f"/proc/{gate.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


async def test_a_flood_of_guesses_keeps_nobody_out_and_no_memory(guarded: Gate) -> None:
    before = guarded.resident()
    async with of(guarded, "127.0.0.2") as stranger, of(guarded, "127.0.0.3") as operator:
        places = asyncio.Semaphore(AT_ONCE)

        async def guess(number: int) -> int:
            async with places:
                return (await stranger.get("/v3/paths/list", auth=(f"u{number % 50}", "x"))).status_code

        flood = asyncio.gather(*(guess(number) for number in range(GUESSES)))
        times: list[float] = []
        for _ in range(LOGINS):
            start = time.monotonic()
            assert (await operator.get("/v3/paths/list", auth=("ops", "ops"))).status_code == 200
            times.append(time.monotonic() - start)
        assert set(await flood) == {401}
    # The first one waits for a hash of its own behind some of the stranger's; then it is remembered.
    grown = peak(guarded) - before
    print(
        f"the first login {times[0]:.2f} s, the slowest other {max(times[1:]):.3f} s, {grown / MIB:.0f} MiB"
    )
    assert max(times[1:]) <= 1.0, times
    assert grown <= 160 * MIB
