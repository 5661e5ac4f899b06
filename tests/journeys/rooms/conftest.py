"""Browsers in a room of a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.journeys.gate import Gate, settings
from tests.journeys.program import require
from tests.journeys.rooms.visitor import Visitor, open_browser

Meet = Callable[..., Visitor]


@pytest.fixture(scope="module")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    # The strictest policy there is: the page must do without any exception of it.
    rooms = {
        "address": "127.0.0.1:0",
        "roomTypes": {"-conference$": "Conference"},
        "contentSecurityPolicy": "default-src 'self'",
        "users": {"enabled": True, "mode": "sharedsecret", "allowRegistration": True},
    }
    with Gate.open(tmp_path_factory.mktemp("rooms"), settings(rooms=rooms)) as gate:
        yield gate


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    require("chromium")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with open_browser(playwright) as browser:
        yield browser


_numbers = itertools.count()


@pytest.fixture
def address(meeting_place: Gate) -> str:
    """A room of one's own."""
    return f"http://127.0.0.1:{meeting_place.port('Rooms')}/tea-{next(_numbers)}"


@pytest.fixture
def meet(browser: Browser, address: str) -> Iterator[Meet]:
    """Bring somebody to the room's door; they are gone after the test, and had nothing to complain of."""
    visitors: list[Visitor] = []

    def come(name: str, *, to: Browser = browser, url: str = address, **context: object) -> Visitor:
        visitors.append(Visitor(to, url, name, **context))
        return visitors[-1]

    yield come
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.close()
    assert not complaints


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """5 MB in which no piece is like another."""
    file = tmp_path / "minutes of the last meeting.bin"
    file.write_bytes(b"".join(number.to_bytes(4, "big") for number in range(1_250_000)))
    return file
