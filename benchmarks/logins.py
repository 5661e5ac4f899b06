"""`python -m benchmarks.logins`: what a wrong login tells by its time, and what a flood of them costs.

S-33 and S-34 of the reliability table, measured where the time is spent: in `Access`, without a network.
"""

import argparse
import asyncio
import os
import random
import statistics
import threading
import time
from collections.abc import Awaitable, Callable

import argon2

from benchmarks.process import resident_kb
from headgate.core.auth import Access, Action, Request
from headgate.core.auth.password import Passwords
from headgate.core.config import GlobalConf
from headgate.core.errors import Denied

__all__: list[str] = []

SAMPLES = 2000
RATE = 500  # bad logins a second
GOOD_INTERVAL = 0.25  # seconds between good ones
READ = [{"action": "read"}]


class Watched(Passwords):
    """Counts the hashes under way."""

    def __init__(self) -> None:
        super().__init__()
        self.running = self.most = self.total = 0
        self._lock = threading.Lock()

    def _verify(self, encoded: str, given: str) -> bool:
        with self._lock:
            self.running, self.total = self.running + 1, self.total + 1
            self.most = max(self.most, self.running)
        try:
            return super()._verify(encoded, given)
        finally:
            with self._lock:
                self.running -= 1


def request(user: str, password: str, ip: str) -> Request:
    return Request(action=Action.READ, path="cam", user=user, password=password, ip=ip, protocol="rtsp")


async def told(access: Access, one: Request) -> bool:
    try:
        return bool(access.known(one) or await access.check(one))
    except Denied:
        return False


async def medians(password: str, *, samples: int) -> tuple[float, float]:
    """Seconds for a wrong password of somebody, and of nobody: one after the other, in random order."""
    settings = GlobalConf.model_validate(
        {"authInternalUsers": [{"user": "bob", "pass": password, "permissions": READ}]}
    )
    now = time.monotonic
    async with Access(lambda: settings, now=lambda: now() * 1e6) as access:  # so that no window holds
        times: dict[str, list[float]] = {"bob": [], "nob": []}
        for number in range(samples):
            for name in random.sample(sorted(times), 2):
                one = request(name, f"wrong{number}", "192.0.2.1")
                start = time.perf_counter()
                await told(access, one)
                times[name].append(time.perf_counter() - start)
    return statistics.median(times["bob"]), statistics.median(times["nob"])


async def flood(bad: Callable[[int], Request], *, seconds: float, goods: list[str]) -> str:
    """Good logins, each of another user, while so many bad ones come."""
    users = [
        {"user": f"g{n}", "pass": f"argon2:{encoded}", "permissions": READ} for n, encoded in enumerate(goods)
    ]
    settings = GlobalConf.model_validate({"authInternalUsers": users})
    async with Access(lambda: settings) as access:
        access._passwords = watched = Watched()
        before, most_kb = resident_kb(os.getpid()), 0
        waits: list[float] = []
        failed = 0

        async def good(number: int) -> None:
            nonlocal failed
            start = time.perf_counter()
            if not await told(access, request(f"g{number}", f"secret{number}", "192.0.2.1")):
                failed += 1
            waits.append(time.perf_counter() - start)

        async with asyncio.TaskGroup() as tasks:
            began = time.perf_counter()
            sent = given = 0
            while (passed := time.perf_counter() - began) < seconds:
                while sent < passed * RATE:
                    tasks.create_task(_ignored(told(access, bad(sent))))
                    sent += 1
                if given < len(goods) and given <= passed / GOOD_INTERVAL:
                    tasks.create_task(good(given))
                    given += 1
                most_kb = max(most_kb, resident_kb(os.getpid()))
                await asyncio.sleep(0.01)
        p99 = statistics.quantiles(waits, n=100)[-1]
        return (
            f"{sent} bad logins, {watched.total} hashed, {watched.most} at once,"
            f" {access.throttled} throttled; memory +{(most_kb - before) / 1024:.0f} MB;"
            f" good logins: {len(waits)}, {failed} refused,"
            f" p50 {statistics.median(waits) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms"
        )


async def _ignored(what: Awaitable[bool]) -> None:
    await what


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logins", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each kind of wrong login")
    arguments = parser.parse_args()
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    for name, password in (("plain", "secret"), ("argon2 (1 MiB)", f"argon2:{quick.hash('secret')}")):
        known, unknown = await medians(password, samples=arguments.samples)
        apart = abs(known - unknown) / known * 100
        print(
            f"S-33, {name}: wrong password {known * 1e6:.1f} µs, unknown user {unknown * 1e6:.1f} µs,"
            f" {apart:.2f} % apart"
        )
    hasher = argon2.PasswordHasher()  # 64 MiB, three times over, four lanes
    goods = [hasher.hash(f"secret{n}") for n in range(int(arguments.seconds / GOOD_INTERVAL))]
    for title, bad in (
        ("one address and user", lambda n: request("g0", f"x{n}", "192.0.2.66")),
        ("one address, users in turn", lambda n: request(f"u{n}", "x", "192.0.2.66")),
    ):
        print(f"S-34, {title}: {await flood(bad, seconds=arguments.seconds, goods=goods)}")


if __name__ == "__main__":
    asyncio.run(main())
