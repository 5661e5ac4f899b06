"""When a source is fetched, again, and left; with a puller that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from headgate.core.config import PathConf
from headgate.core.errors import NotFound
from headgate.core.session import CloseReason
from headgate.engine import Engine
from headgate.media.source import SourceFailed, SourceState
from headgate.media.sources import Sources
from tests.media.conftest import configuration
from tests.media.test_path import VIDEO, Guest, House

PATIENCE = 10.0  # seconds; only a failing test waits so long


class Puller:
    def __init__(self, stage: Stage, url: str, name: str, on_ready: Callable[[], None]) -> None:
        self.url = url
        self.name = name
        self._stage = stage
        self._on_ready = on_ready
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.session: Guest | None = None

    async def run(self) -> None:
        try:
            await self._ended
        finally:
            self.stop(CloseReason.SOURCE_LOST)

    def stop(self, reason: CloseReason) -> None:
        if self.session is not None:
            self._stage.house.registry.close(self.session, reason)

    def ready(self) -> None:
        self.session = session = self._stage.house.guest()
        session.path, _ = self._stage.house.paths.feed(
            session, name=self.name, tracks=[VIDEO], description=b""
        )
        self._on_ready()

    def fail(self, text: str = "it is gone") -> None:
        self._ended.set_exception(SourceFailed(text))


class Stage:
    """Every try is a `Puller` in `tries`; back-off lasts until `go_on`."""

    def __init__(self, engine: Engine, paths: dict[str, dict[str, object]]) -> None:
        self.house = House(engine, paths)
        self.tries: asyncio.Queue[Puller] = asyncio.Queue()
        self.waits: list[float] = []
        self._again = asyncio.Event()
        self.sources = Sources(
            configuration=configuration(paths=paths),
            paths=self.house.paths,
            pullers={"rtsp": self._make},
            sleep=self._sleep,
        )

    def _make(self, url: str, *, name: str, conf: PathConf, on_ready: Callable[[], None]) -> Puller:
        puller = Puller(self, url, name, on_ready)
        self.tries.put_nowait(puller)
        return puller

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._again.clear()
        await self._again.wait()

    async def next_try(self) -> Puller:
        async with asyncio.timeout(PATIENCE):
            while self.tries.empty():
                self._again.set()
                await asyncio.sleep(0)
            return await self.tries.get()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=16)
    yield engine
    engine.shutdown()


@asynccontextmanager
async def opened(engine: Engine, paths: dict[str, dict[str, object]]) -> AsyncIterator[Stage]:
    stage = Stage(engine, paths)
    async with stage.sources:
        yield stage


ON_DEMAND = {
    "source_on_demand": True,
    "source_on_demand_start_timeout": 60,
    "source_on_demand_close_after": 60,
}


async def test_what_is_always_wanted_is_fetched_again_and_again(engine: Engine) -> None:
    paths: dict[str, dict[str, object]] = {
        "cam": {"source": "rtsp://h/x"},
        "live": {},
        "moved": {"source": "redirect"},
    }
    async with opened(engine, paths) as stage:
        first = await stage.next_try()
        assert (first.name, first.url) == ("cam", "rtsp://h/x")
        first.fail()
        second = await stage.next_try()
        second.ready()
        path = stage.house.paths.get("cam")
        assert path is not None
        assert path.source is second.session
        second.fail()
        third = await stage.next_try()
        assert path.source is None
        assert len(stage.waits) == 2
        assert stage.waits[1] > stage.waits[0] * 0.9
        third.ready()
        last = third.session
    assert last is not None
    assert last.close_reason is CloseReason.SHUTDOWN


async def test_on_demand_it_is_fetched_for_whoever_asks(engine: Engine) -> None:
    conf = {"source": "rtsp://h/$G1?$MTX_QUERY", **ON_DEMAND}
    async with opened(engine, {"~^live/(.+)$": conf}) as stage:
        sources = stage.sources
        assert stage.tries.empty()
        source = sources.demand("live/a/b", query="x=1&y= /@#")
        assert source is not None
        assert source is sources.demand("live/a/b", query=""), "one for all who ask"
        assert source.state is SourceState.WAITING
        puller = await stage.next_try()
        assert puller.url == "rtsp://h/a/b?x=1&y=%20%2F%40%23"
        waiting = asyncio.ensure_future(source.wait_ready())
        await asyncio.sleep(0)
        puller.ready()
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert source.state is SourceState.CLOSING, "nobody reads yet"
        reader = stage.house.read("live/a/b")
        assert source.state is SourceState.READY
        assert sources.demand("live/a/b", query="") is None, "it is here"
        assert reader.path is not None
        stage.house.paths.leave(reader.path, session=reader)
        assert source.state is SourceState.CLOSING


async def test_it_is_left_when_nobody_reads_any_more(engine: Engine) -> None:
    conf = {"source": "rtsp://h/x", **ON_DEMAND, "source_on_demand_close_after": 0.01}
    async with opened(engine, {"cam": conf}) as stage:
        stage.sources.demand("cam", query="")
        puller = await stage.next_try()
        puller.ready()
        assert puller.session is not None
        async with asyncio.timeout(PATIENCE):
            await puller.session.ended.wait()
        assert puller.session.close_reason is CloseReason.UNWANTED
        assert stage.sources.get("cam") is None
        assert stage.sources.demand("cam", query="") is not None, "and fetched again for the next"


async def test_whoever_waits_too_long_is_told(engine: Engine) -> None:
    conf = {"source": "rtsp://h/x", **ON_DEMAND, "source_on_demand_start_timeout": 0.01}
    async with opened(engine, {"cam": conf}) as stage:
        source = stage.sources.demand("cam", query="")
        assert source is not None
        with pytest.raises(NotFound, match="source of path 'cam' has timed out"):
            async with asyncio.timeout(PATIENCE):
                await source.wait_ready()
        assert stage.sources.get("cam") is None


async def test_one_on_demand_that_fails_is_left_to_the_next_who_asks(engine: Engine) -> None:
    async with opened(engine, {"cam": {"source": "rtsp://h/x", **ON_DEMAND}}) as stage:
        stage.sources.demand("cam", query="")
        puller = await stage.next_try()
        puller.ready()
        reader = stage.house.read()
        reader.path = stage.house.paths.get("cam")
        puller.fail()
        async with asyncio.timeout(PATIENCE):
            await reader.ended.wait()
            while stage.sources.get("cam") is not None:  # noqa: ASYNC110 (a task's end has no sign)
                await asyncio.sleep(0)
        assert reader.close_reason is CloseReason.PUBLISHER_GONE


async def test_another_configuration_touches_what_it_concerns(engine: Engine) -> None:
    paths: dict[str, dict[str, object]] = {name: {"source": f"rtsp://h/{name}"} for name in ("a", "b", "c")}
    async with opened(engine, paths) as stage:
        tries = {puller.name: puller for puller in [await stage.next_try() for _ in paths]}
        for puller in tries.values():
            puller.ready()
        stay = stage.sources.get("a")
        stage.sources.apply(
            configuration(
                paths={
                    "a": {"source": "rtsp://h/a", "max_readers": 3},
                    "b": {"source": "rtsp://h/other"},
                    "d": {"source": "rtsp://h/d"},
                }
            )
        )
        reasons = {name: puller.session.close_reason for name, puller in tries.items() if puller.session}
        assert reasons == {"a": None, "b": CloseReason.RECONFIGURED, "c": CloseReason.RECONFIGURED}
        assert stage.sources.get("a") is stay
        assert {(await stage.next_try()).url for _ in range(2)} == {"rtsp://h/other", "rtsp://h/d"}
        assert stage.sources.get("c") is None
