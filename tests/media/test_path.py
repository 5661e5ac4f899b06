"""Who has which path, and when paths come and go. With a real engine and real sessions without a client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

import pytest

from headgate.core.config.change import Change
from headgate.core.errors import NotFound, Refused
from headgate.core.events import Bus, PathNotReady, PathReady
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Session, SessionId
from headgate.engine import Engine
from headgate.media.path import Path, Paths, Redirect, payload_size
from headgate.media.track import Format, Kind, Track
from tests.media.conftest import configuration

VIDEO = Track(kind=Kind.VIDEO, formats=(Format(payload_type=96, encoding="h264", clock_rate=90000),))
AUDIO = Track(kind=Kind.AUDIO, formats=(Format(payload_type=97, encoding="opus", clock_rate=48000),))
SERVICE = Service(name="RTSP", protocol=Protocol.RTSP, router="paths", started=datetime.now(UTC))
PORTS = count(1)


class Guest(Session):
    """Lets go of its path as every session of the wing must."""

    def __init__(self, paths: Paths, *, id: SessionId, created: datetime) -> None:
        here = Endpoint("127.0.0.1", next(PORTS))
        super().__init__(id=id, service=SERVICE, remote=here, local=here, created=created)
        self.paths = paths
        self.path: Path | None = None
        self.ended = asyncio.Event()

    @property
    def flows(self) -> Sequence[int]:
        return ()

    def end(self, reason: CloseReason) -> None:
        self.ended.set()
        if self.path is not None:
            self.paths.leave(self.path, session=self)
            self.paths.unpublish(self.path, session=self)


class House:
    def __init__(self, engine: Engine, paths: dict[str, dict[str, object]]) -> None:
        self.engine = engine
        self.bus = Bus()
        self.registry = Registry(engine=engine, bus=self.bus)
        self.paths = Paths(configuration=configuration(paths=paths), engine=engine, registry=self.registry)

    def guest(self) -> Guest:
        return self.registry.open(lambda session_id, now: Guest(self.paths, id=session_id, created=now))

    def publish(self, name: str = "cam", *, tracks: Sequence[Track] = (VIDEO, AUDIO)) -> tuple[Guest, Path]:
        guest = self.guest()
        path, publication = self.paths.publish(guest, name=name, tracks=tracks, description=b"v=0\r\n")
        assert path.publication is publication
        guest.path = path
        return guest, path

    def read(self, name: str = "cam") -> Guest:
        guest = self.guest()
        guest.path, _ = self.paths.ready(name)
        self.paths.read(guest, path=guest.path)
        return guest

    def told(self) -> list[str]:
        kinds = (PathReady, PathNotReady)
        return [p.event.TYPE for p in self.bus.since(0) if isinstance(p.event, kinds)]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=16)
    yield engine
    engine.shutdown()


def test_plain_paths_are_there_from_the_start_and_others_while_published(engine: Engine) -> None:
    house = House(engine, {"b": {}, "a": {}, "~^live/": {}})
    assert [(p.name, p.source, p.ready_time, list(p.tracks)) for p in house.paths] == [
        ("a", None, None, []),
        ("b", None, None, []),
    ]
    publisher, path = house.publish("live/1")
    assert [p.name for p in house.paths] == ["a", "b", "live/1"]
    assert (path.conf_name, path.source, list(path.tracks)) == ("~^live/", publisher, ["H264", "Opus"])
    assert path.stream is not None
    assert len(engine.tracks(path.stream)) == 2
    house.publish("b")
    for session in house.registry.sessions():
        house.registry.close(session, CloseReason.GOODBYE)
    assert [(p.name, p.source, p.stream) for p in house.paths] == [("a", None, None), ("b", None, None)]
    assert house.told() == ["path.ready", "path.ready", "path.notReady", "path.notReady"]


def test_a_stream_ends_in_the_engine_with_its_publisher(engine: Engine) -> None:
    house = House(engine, {"cam": {}})
    publisher, path = house.publish()
    stream = path.stream
    assert stream is not None
    house.registry.close(publisher, CloseReason.PEER)
    assert engine.tracks(stream) == []


def test_readers_end_with_their_publisher(engine: Engine) -> None:
    house = House(engine, {"cam": {}})
    publisher, path = house.publish()
    readers = [house.read() for _ in range(3)]
    assert list(path.readers) == readers
    house.registry.close(readers[1], CloseReason.PEER)
    assert list(path.readers) == [readers[0], readers[2]]
    house.registry.close(publisher, CloseReason.KICKED)
    assert [r.close_reason for r in readers] == [
        CloseReason.PUBLISHER_GONE,
        CloseReason.PEER,
        CloseReason.PUBLISHER_GONE,
    ]
    assert house.registry.sessions() == []


@pytest.mark.parametrize("conf_name", ["cam", "~cam"])
def test_a_new_publisher_overrides(engine: Engine, conf_name: str) -> None:
    house = House(engine, {conf_name: {}})
    first, _ = house.publish()
    reader = house.read()
    second, path = house.publish(tracks=[VIDEO])
    assert (first.close_reason, reader.close_reason) == (CloseReason.OVERRIDDEN, CloseReason.PUBLISHER_GONE)
    assert (house.paths.get("cam"), path.source, list(path.readers)) == (path, second, [])
    house.paths.unpublish(path, session=first)  # late: the path is another's by now
    assert path.source is second
    assert house.told() == ["path.ready", "path.notReady", "path.ready"]


@pytest.mark.parametrize("conf_name", ["cam", "~cam"])
def test_readers_stay_when_the_tracks_are_the_same(engine: Engine, conf_name: str) -> None:
    house = House(engine, {conf_name: {}})
    first, path = house.publish()
    reader, before = house.read(), path.publication
    second, same = house.publish()
    assert before is not None
    assert path.publication is not None
    assert (same, path.source, list(path.readers)) == (path, second, [reader])
    assert (path.publication.stream, path.ready_time) == (before.stream, before.ready_time)
    assert (first.close_reason, reader.close_reason) == (CloseReason.OVERRIDDEN, None)
    assert house.told() == ["path.ready"]


async def test_a_publisher_that_comes_back_in_time(engine: Engine) -> None:
    house = House(engine, {"cam": {"publisher_grace_period": 60, "override_publisher": False}})
    first, path = house.publish()
    reader = house.read()
    house.registry.close(first, CloseReason.PEER)
    assert (path.source, path.ready_time is None, reader.close_reason) == (None, False, None)
    assert house.read() in path.readers, "one more may come meanwhile"
    second, _ = house.publish()
    assert path.source is second
    house.registry.close(second, CloseReason.PEER)
    house.publish(tracks=[VIDEO])
    assert reader.close_reason is CloseReason.PUBLISHER_GONE, "another stream is another stream"
    assert house.told() == ["path.ready", "path.notReady", "path.ready"]


async def test_a_publisher_that_does_not_come_back(engine: Engine) -> None:
    house = House(engine, {"~cam": {"publisher_grace_period": 0.01}})
    first, path = house.publish()
    reader = house.read()
    house.registry.close(first, CloseReason.PEER)
    async with asyncio.timeout(10):
        await reader.ended.wait()
    assert path.publication is None
    assert house.paths.get("cam") is None


@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("after", [{}, {"cam": {"source": "rtsp://h/x"}}])
async def test_nobody_is_waited_for_on_a_path_that_is_fed_otherwise_or_gone(
    engine: Engine, after: dict[str, dict[str, object]], *, present: bool
) -> None:
    before = {"cam": {"publisher_grace_period": 60}}
    house = House(engine, before)
    publisher, path = house.publish()
    reader = house.read()
    if not present:
        house.registry.close(publisher, CloseReason.PEER)
    house.paths.follow(Change.between(configuration(paths=before), configuration(paths=after)))
    assert reader.close_reason is CloseReason.RECONFIGURED
    assert path.publication is None
    assert [one.name for one in house.paths] == list(after)
    assert house.told() == ["path.ready", "path.notReady"]


async def test_the_wait_for_a_publisher_is_as_long_as_the_configuration_says_now(engine: Engine) -> None:
    before = {"cam": {"publisher_grace_period": 3600}}
    house = House(engine, before)
    publisher, path = house.publish()
    reader = house.read()
    house.registry.close(publisher, CloseReason.PEER)
    for seconds, over in ((1800, False), (7200, False), (0.01, True)):
        after = {"cam": {"publisher_grace_period": seconds}}
        house.paths.follow(Change.between(configuration(paths=before), configuration(paths=after)))
        assert reader.close_reason is None, "a wait that is over ends with the loop's next turn"
        if over:
            async with asyncio.timeout(10):
                await reader.ended.wait()
        before = after
    assert path.publication is None
    assert house.told() == ["path.ready", "path.notReady"]


async def test_a_server_that_stops_waits_for_no_publisher(engine: Engine) -> None:
    house = House(engine, {"cam": {"publisher_grace_period": 3600}, "~^live": {"publisher_grace_period": 9}})
    for name in ("cam", "live"):
        publisher, path = house.publish(name)
        house.registry.close(publisher, CloseReason.PEER)
        assert path.publication is not None
    house.paths.close()
    assert house.told() == ["path.ready", "path.ready", "path.notReady", "path.notReady"]
    assert [one.name for one in house.paths] == ["cam"]


def test_where_readers_are_sent(engine: Engine) -> None:
    paths: dict[str, dict[str, object]] = {
        "moved": {"source": "redirect", "source_redirect": "rtsp://h/x"},
        "cam": {"fallback": "/other"},
        "plain": {},
    }
    house = House(engine, paths)
    assert house.paths.elsewhere("moved") == Redirect(location="rtsp://h/x", permanent=True)
    assert house.paths.elsewhere("cam") == Redirect(location="/other", permanent=False)
    assert house.paths.elsewhere("plain") is None
    assert [path.name for path in house.paths if path.redirects] == ["moved"]
    house.publish()
    assert house.paths.elsewhere("cam") is None


def test_a_publisher_that_may_not_be_overridden(engine: Engine) -> None:
    house = House(engine, {"cam": {"override_publisher": False}})
    first, path = house.publish()
    with pytest.raises(Refused, match="someone is already publishing to path 'cam'"):
        house.publish()
    assert path.source is first
    house.registry.close(first, CloseReason.PEER)
    _, path = house.publish()
    assert path.source is not None


def test_what_nobody_may_publish(engine: Engine) -> None:
    house = House(engine, {"cam": {}, "pulled": {"source": "rtsp://10.0.0.1/x"}})
    with pytest.raises(NotFound, match="path 'other' is not configured"):
        house.publish("other")
    with pytest.raises(Refused, match="since 'source' is not 'publisher'"):
        house.publish("pulled")
    assert house.told() == []


def test_what_nobody_can_read(engine: Engine) -> None:
    house = House(engine, {"cam": {"max_readers": 1}})
    with pytest.raises(NotFound, match="no one is publishing to path 'cam'"):
        house.read()
    with pytest.raises(NotFound, match="path 'other' is not configured"):
        house.read("other")
    house.publish()
    reader = house.read()
    with pytest.raises(Refused, match="maximum reader count reached"):
        house.read()
    house.registry.close(reader, CloseReason.PEER)
    house.read()


def test_tracks_the_engine_cannot_carry_change_nothing(engine: Engine) -> None:
    house = House(engine, {"cam": {}})
    first, path = house.publish()
    with pytest.raises(ValueError):
        house.paths.publish(house.guest(), name="cam", tracks=[AUDIO] * 65, description=b"")
    assert path.source is first


def test_packets_leave_room_for_the_tag_where_readers_may_get_srtp() -> None:
    def size(**settings: object) -> int:
        return payload_size(configuration(**settings).global_)

    assert size() == 1472
    assert size(rtsp_encryption="optional") == 1462
    assert size(rtsp_encryption="optional", rtsp_transports=("tcp",)) == 1472
