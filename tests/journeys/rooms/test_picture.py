"""Buddy pictures: chosen or taken here, seen there."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.rooms.conftest import Meet
from tests.journeys.rooms.visitor import Visitor

COLOUR = """image => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}"""


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    """A picture of 300 by 200 pixels, which is not square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x20\x40\xe0" * 300) * 200
    file = tmp_path / "blue.png"
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 200, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return file


def open_settings(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="settings").click()


def close(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Close", exact=True).click()


def is_blue(picture: Locator) -> None:
    red, green, blue, _ = picture.evaluate(COLOUR)
    assert blue > 180, (red, green, blue)
    assert red < 80, (red, green, blue)


def loaded(picture: Locator) -> Locator:
    expect(picture).to_be_visible()
    handle = picture.element_handle()
    picture.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=handle)
    return picture


def test_a_chosen_picture_is_seen_by_the_others(meet: Meet, blue: Path) -> None:
    ada = meet("Ada")
    open_settings(ada)
    ada.page.get_by_label("Choose a picture").set_input_files(blue)
    own = ada.page.get_by_role("dialog").get_by_role("img", name="Your picture")
    expect(own).to_be_visible()
    close(ada)
    ada.join().inside()
    grace = meet("Grace").join().inside()
    grace.sees("Ada")
    ada.control("Stop camera").click()
    is_blue(loaded(grace.tile("Ada").locator("img")))
    is_blue(ada.page.get_by_role("article", name="You").get_by_role("img", name="Your picture"))
    # Whoever is there already sees another one at once, and none when it is taken away.
    open_settings(ada)
    ada.page.get_by_role("button", name="Remove").click()
    expect(grace.tile("Ada").locator("img")).to_have_count(0)
    expect(grace.tile("Ada").get_by_text("A", exact=True)).to_be_visible()


def test_a_picture_is_taken_with_the_camera(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    open_settings(ada)
    ada.page.get_by_role("button", name="Take one").click()
    close(ada)
    ada.control("Stop camera").click()
    picture = loaded(grace.tile("Ada").locator("img"))
    _, green, _, _ = picture.evaluate(COLOUR)
    assert green > 80  # as all that Chromium's camera shows
    grace.control("People").click()
    loaded(grace.page.get_by_label("In the room").locator("img"))


def test_what_is_no_picture_is_refused_in_words(meet: Meet, tmp_path: Path) -> None:
    ada = meet("Ada")
    file = tmp_path / "notes.png"
    file.write_text("This is no picture.")
    open_settings(ada)
    ada.page.get_by_label("Choose a picture").set_input_files(file)
    ada.told("That is no picture this browser can read.")
    expect(ada.page.get_by_label("Choose a picture")).to_be_attached()
