from __future__ import annotations

import asyncio

from headgate.core.auth.turns import Turns


class Work:
    """Notes who has had a turn; each lasts until the test says."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.served: list[str] = []
        self.go_on = asyncio.Semaphore(0)

    async def do(self, who: str) -> None:
        async with self.turns.turn(who):
            self.served.append(who)
            await self.go_on.acquire()

    async def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.go_on.release()
            for _ in range(5):
                await asyncio.sleep(0)


async def test_a_flood_delays_others_by_one_turn() -> None:
    work = Work(2)
    async with asyncio.TaskGroup() as tasks:
        for who in "aaaaaaaabcb":
            tasks.create_task(work.do(who))
            await asyncio.sleep(0)
        assert work.served == ["a", "a"]
        await work.step(3)
        assert work.served == list("aaabc")
        await work.step(8)
    assert work.served == list("aaabcabaaaa")


async def test_who_gives_up_takes_no_turn() -> None:
    work = Work(1)
    first, second, third = (asyncio.create_task(work.do(who)) for who in ("a", "b", "c"))
    await asyncio.sleep(0)
    second.cancel()
    await work.step()
    assert work.served == ["a", "c"]
    # Given a turn and cancelled in the same moment: it goes to the next.
    fourth, fifth = (asyncio.create_task(work.do(who)) for who in ("d", "e"))
    await asyncio.sleep(0)
    work.go_on.release()
    while not third.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    fourth.cancel()
    await work.step(2)
    await asyncio.gather(first, second, third, fourth, fifth, return_exceptions=True)
    assert "e" in work.served
    async with asyncio.timeout(1), work.turns.turn("f"):
        pass
