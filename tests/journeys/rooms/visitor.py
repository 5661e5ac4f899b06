"""Somebody with a browser, a camera and a microphone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

__all__ = ["Visitor", "chromium", "open_browser"]

chromium = Path(__file__).parent.with_name("chromium")
PATIENCE = 20_000  # ms; only a failing test waits so long
expect.set_options(timeout=PATIENCE)
MEDIA = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--no-sandbox",  # the tests run as root, on pages of our own
    "--disable-dev-shm-usage",
]


@contextmanager
def open_browser(
    playwright: Playwright, *, program: Path = chromium, also: tuple[str, ...] = ()
) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=program, args=[*MEDIA, *also])
    try:
        yield browser
    finally:
        browser.close()


class Visitor:
    """One page in a room. What its console complains of is kept in `complaints`."""

    def __init__(self, browser: Browser, url: str, name: str, *, script: str = "", **context: Any) -> None:
        self.name = name
        self.complaints: list[str] = []
        self.context = browser.new_context(permissions=["camera", "microphone"], **context)
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text) if "Content Security Policy" in said.text else None
            ),
        )
        if script:
            self.page.add_init_script(script)
        self.page.goto(url)
        self.page.get_by_label("Your name").fill(name)

    def join(self) -> Visitor:
        self.page.get_by_role("button", name="Join").click()
        return self

    def inside(self) -> Visitor:
        expect(self.page.get_by_role("toolbar")).to_be_visible()
        return self

    def tile(self, name: str) -> Locator:
        return self.page.get_by_role("article", name=name, exact=True)

    def sees(self, *names: str) -> None:
        """Their pictures arrive: frames are decoded, and more of them as time goes by."""
        for name in names:
            video = self.tile(name).locator("video")
            expect(video).to_be_visible()
            before = self._frames(video)
            self.page.wait_for_function(
                "([video, before]) => video.getVideoPlaybackQuality().totalVideoFrames > before + 5",
                arg=[video.element_handle(), before],
                timeout=PATIENCE,
            )

    def hears(self, name: str) -> None:
        """The fake microphone beeps, and the tile shows that somebody talks."""
        expect(self.tile(name)).to_have_class(_with("talks"))

    def control(self, label: str) -> Locator:
        return self.page.get_by_role("toolbar").get_by_role("button", name=label)

    def told(self, text: str) -> None:
        expect(self.page.get_by_role("status").get_by_text(text).first).to_be_visible()

    def write(self, text: str, *, to: str = "Message to everybody") -> None:
        field = self.page.get_by_label(to)
        field.fill(text)
        field.press("Enter")

    def reads(self, text: str) -> None:
        expect(self.page.get_by_role("log").get_by_text(text)).to_be_visible()

    def act(self, name: str, action: str) -> None:
        """Choose from the menu of somebody, in the panel "People"."""
        self.page.get_by_label("In the room").get_by_role("button", name=f"Actions for {name}").click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    def close(self) -> None:
        self.context.close()

    @staticmethod
    def _frames(video: Locator) -> int:
        return int(video.evaluate("video => video.getVideoPlaybackQuality().totalVideoFrames"))


def _with(word: str) -> Any:
    import re

    return re.compile(rf"(^|\s){word}(\s|$)")
