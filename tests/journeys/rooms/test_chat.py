"""Words and files."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.journeys.rooms.conftest import Meet


def test_everybody_reads_what_is_written_to_everybody(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    ada.control("Chat").click()
    ada.write("<b>Hello</b> https://example.org/a?b=c.")
    grace.told("Ada: <b>Hello</b>")
    expect(grace.page).to_have_title(re.compile(r"^\(1\) tea-"))
    grace.control("Chat, 1 unread").click()
    grace.reads("<b>Hello</b>")
    link = grace.page.get_by_role("log").get_by_role("link")
    expect(link).to_have_attribute("href", "https://example.org/a?b=c")
    expect(ada.page.get_by_role("log").get_by_text("Hello")).to_have_count(1)


def test_two_write_to_each_other_alone(meet: Meet) -> None:
    ada, grace, katherine = (meet(name).join().inside() for name in ("Ada", "Grace", "Katherine"))
    ada.sees("Grace", "Katherine")
    ada.control("People").click()
    ada.act("Grace", "Write privately")
    ada.write("Between us", to="Message to Grace")
    grace.told("Ada: Between us")
    expect(ada.page.get_by_text("Delivered")).to_be_visible()
    grace.control("Chat").click()
    grace.page.get_by_role("tab", name="Ada").click()
    grace.reads("Between us")
    expect(ada.page.get_by_role("log").get_by_text("Read", exact=True)).to_be_visible()
    grace.page.get_by_label("Message to Ada").press_sequentially("Ye")
    expect(ada.page.get_by_text("Grace is typing…")).to_be_visible()
    katherine.control("Chat").click()
    expect(katherine.page.get_by_text("Between us")).to_have_count(0)


def test_a_file_of_5_mb_goes_from_browser_to_browser(meet: Meet, large_file: Path, tmp_path: Path) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    ada.control("Chat").click()
    ada.page.locator("input[type=file]").set_input_files(large_file)
    grace.control("Chat").click()
    grace.page.get_by_role("button", name="Get").click()
    save = grace.page.get_by_role("link", name="Save")
    with grace.page.expect_download() as download:
        save.click(timeout=60_000)
    assert download.value.suggested_filename == large_file.name
    saved = tmp_path / "saved"
    download.value.save_as(saved)
    assert saved.read_bytes() == large_file.read_bytes()


def test_who_reads_further_up_is_left_there(meet: Meet) -> None:
    ada = meet("Ada").join().inside()
    grace = meet("Grace").join().inside()
    ada.sees("Grace")
    for person in (ada, grace):
        person.control("Chat").click()
    for number in range(30):
        grace.write(f"Line {number}")
    ada.reads("Line 29")
    log = ada.page.get_by_role("log")
    expect(log.get_by_text("Line 29")).to_be_in_viewport()
    log.evaluate("log => log.scrollTo(0, 0)")
    expect(log.get_by_text("Line 0", exact=True)).to_be_in_viewport()
    grace.write("Something new")
    expect(log.get_by_text("Something new")).to_be_attached()
    assert log.evaluate("log => log.scrollTop") == 0
    ada.write("An answer")
    expect(log.get_by_text("An answer")).to_be_in_viewport()
