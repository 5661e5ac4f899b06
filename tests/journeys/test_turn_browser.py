"""A video call between two pages of Chromium, both of which may only use the relay."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.gate import Gate, settings
from tests.journeys.program import require
from tests.journeys.rooms.visitor import chromium
from tests.journeys.test_turn import ports, relay
from tests.journeys.turnutils import SECRET

SCRIPT = Path(__file__).with_name("turn_call.js")
PLACE = "https://call.test/"
"""Answered by the test itself: only a secure page has a camera."""
PATIENCE = 20.0  # seconds; only a failing test waits so long
ARGUMENTS = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--no-sandbox",  # the tests run as root, on a page of our own
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


def minted(user: str, url: str) -> list[dict[str, str]]:
    """What an application with the shared secret gives a browser."""
    name = f"{int(time.time()) + 600}:{user}"
    password = base64.b64encode(hmac.digest(SECRET.encode(), name.encode(), "sha1")).decode()
    return [{"urls": url, "username": name, "credential": password}]


def sit_down(browser: Browser, servers: list[dict[str, str]]) -> Page:
    page = browser.new_page()
    page.route(PLACE, lambda route: route.fulfill(body="<title>call</title>", content_type="text/html"))
    page.goto(PLACE)
    page.add_script_tag(path=SCRIPT)
    page.evaluate("servers => prepare(servers)", servers)
    return page


def seeing(page: Page) -> dict[str, Any]:
    """What the page knows of its call, once it sees the other."""
    deadline = time.monotonic() + PATIENCE
    while True:
        report: dict[str, Any] = page.evaluate("report()")
        if report["frames"] > 0:
            return report
        assert time.monotonic() < deadline, report
        page.wait_for_timeout(100)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_pages_see_each_other_through_the_relay(browser: Browser, tmp_path: Path, transport: str) -> None:
    """With the shipped peer policy (S-48): what they reach is nobody but each other."""
    section = relay(users={}, peers={}, compatibleChannels=False)
    with Gate.open(tmp_path, settings(rtsp=False, turn=section)) as gate:
        url = f"turn:127.0.0.1:{ports(gate)[transport.upper(), '127.0.0.1']}?transport={transport}"
        servers = [minted(user, url) for user in ("alice", "bob")]
        caller, called = (sit_down(browser, its) for its in servers)
        caller.evaluate("it => accept(it)", called.evaluate("it => answer(it)", caller.evaluate("offer()")))
        assert caller.evaluate("echo('hello')") == "hello"
        for page in (caller, called):
            report = seeing(page)
            assert (report["local"], report["remote"]) == ("relay", "relay")
        for page in (caller, called):  # not before both have seen each other
            page.evaluate("connection.close()")
            page.close()
        for (server,) in servers:
            gate.events.wait("relay.allocated", username=server["username"])
            gate.events.wait("relay.closed", username=server["username"])
