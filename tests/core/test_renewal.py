"""What is good is taken; what is not is told of, and the old one stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.core.certificate import Certificate
from headgate.core.config import file_watch
from headgate.core.events import Bus, CertificateRefused, CertificateRenewed
from headgate.core.renewal import Renewal
from tests.core.authority import DAY, Authority, files_in

PATIENCE = 10.0


class Served:
    """Who serves it, and refuses one that it was told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refuses: bytes | None = None

    def take(self, certificate: Certificate) -> None:
        if certificate.chain == self.refuses:
            raise ValueError("the certificate and key are not usable: they do not match")
        self.taken.append(certificate.chain)


class Case:
    def __init__(self, directory: Path, tasks: asyncio.TaskGroup) -> None:
        self.directory = directory
        self.authority = Authority()
        self.bus = Bus()
        self.served = Served()
        self.renewal = Renewal(bus=self.bus, take=self.served.take)
        self.first = self.authority.issue()
        self.first.write(directory)
        self.tasks = tasks
        self.renewal.follow(files_in(directory), files_in(directory).read(), tasks=tasks)

    def mistakes(self) -> list[str]:
        events = [one.event for one in self.bus.since(0)]
        return [event.mistake for event in events if isinstance(event, CertificateRefused)]


AsyncCase = AbstractAsyncContextManager[Case]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncCase:
    monkeypatch.setattr(file_watch, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(file_watch, "REST", 0.03)

    @asynccontextmanager
    async def made() -> AsyncIterator[Case]:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            case = Case(tmp_path, tasks)
            yield case
            case.renewal.stop()

    return made()


async def test_a_new_one_is_taken_once(case: AsyncCase) -> None:
    async with case as it:
        await it.renewal.look()
        assert it.served.taken == []
        new = it.authority.issue()
        new.write(it.directory)
        await it.renewal.look()
        await it.renewal.look()
        assert it.served.taken == [new.chain]
        assert (it.renewal.renewed, it.renewal.refused) == (1, 0)
        (event,) = [one.event for one in it.bus.since(0)]
        assert isinstance(event, CertificateRenewed)
        assert it.renewal.present is not None
        assert (event.service, event.not_after) == ("RTSPS", it.renewal.present.not_after.isoformat())


async def test_its_files_are_watched(case: AsyncCase) -> None:
    async with case as it:
        with it.bus.subscribe() as news:
            for _ in range(3):
                pair = it.authority.issue()
                pair.replace(it.directory)
                await news.batch()
                assert it.served.taken[-1] == pair.chain


async def test_what_is_not_good_is_told_and_left_alone(
    case: AsyncCase, caplog: pytest.LogCaptureFixture
) -> None:
    async with case as it:
        it.renewal.stop()  # look when it is told to
        other = it.authority.issue()
        expired = it.authority.issue(not_before=-DAY, not_after=-timedelta(seconds=5))
        for chain, key, mistake in (
            (other.chain, it.first.key, "do not match"),
            (expired.chain, expired.key, "has expired on"),
            (other.chain[:100], other.key, "no certificate in"),
            (b"", b"", "no certificate in"),
        ):
            it.served.refuses = chain if chain == other.chain else None
            (it.directory / "server.crt").write_bytes(chain)
            (it.directory / "server.key").write_bytes(key)
            await it.renewal.look()
            assert mistake in it.mistakes()[-1]
            assert mistake in caplog.messages[-1]
            assert it.mistakes()[-1].startswith("RTSPS: ")
        assert it.renewal.present is not None
        assert (it.served.taken, it.renewal.present.chain) == ([], it.first.chain)
        assert (it.renewal.renewed, it.renewal.refused) == (0, 4)
        it.first.write(it.directory)
        await it.renewal.look()
        assert it.renewal.refused == 4
        it.served.refuses = None
        other.write(it.directory)
        await it.renewal.look()
        assert it.served.taken == [other.chain]


async def test_other_files_are_followed_and_then_none(case: AsyncCase, tmp_path: Path) -> None:
    async with case as it:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        second = it.authority.issue()
        second.write(elsewhere)
        it.renewal.follow(files_in(elsewhere), files_in(elsewhere).read(), tasks=it.tasks)
        it.authority.issue().write(it.directory)
        await it.renewal.look()
        assert it.served.taken == []
        it.renewal.follow(None, None, tasks=it.tasks)
        it.authority.issue().write(elsewhere)
        await it.renewal.look()
        assert (it.served.taken, it.renewal.present, it.renewal.service) == ([], None, "")


async def test_a_bug_ends_no_service(
    case: AsyncCase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with case as it:
        reached = asyncio.Event()

        def broken(*_: object) -> None:
            reached.set()
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(Certificate, "trouble", broken)
            it.authority.issue().replace(it.directory)
            await reached.wait()
        with it.bus.subscribe() as news:
            good = it.authority.issue()
            good.replace(it.directory)
            await news.batch()
        assert it.served.taken == [good.chain]
        assert "a bug while reading the certificate of RTSPS" in caplog.text


async def test_an_older_one_that_a_change_brings_back_does_not_stay(case: AsyncCase) -> None:
    """A change read the files before a renewal did, and holds after it: nothing changes in them any more."""
    async with case as it:
        older = files_in(it.directory).read()
        new = it.authority.issue()
        new.write(it.directory)
        with it.bus.subscribe() as news:
            await news.batch()
            it.renewal.follow(files_in(it.directory), older, tasks=it.tasks)
            assert it.renewal.present == older
            await news.batch()
        assert it.served.taken == [new.chain, new.chain]
        assert it.renewal.present is not None
        assert it.renewal.present.chain == new.chain
