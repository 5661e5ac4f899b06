"""Cameras and microphones that are not there, or not for us."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.rooms.conftest import Meet

REFUSING = """
window.refuse = %r;
const real = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = function (wanted) {
  return window.refuse ? Promise.reject(new DOMException("", window.refuse)) : real.call(this, wanted);
};
"""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "does not let this page use your microphone and camera"),
        ("NotFoundError", "No microphone or camera was found"),
        ("NotReadableError", "Your microphone and camera cannot be used now"),
    ],
)
def test_who_has_none_is_told_why_and_comes_in_all_the_same(meet: Meet, error: str, words: str) -> None:
    grace = meet("Grace").join().inside()
    ada = meet("Ada", script=REFUSING % error)
    expect(ada.page.get_by_role("alert")).to_contain_text(words)
    expect(ada.page.get_by_role("alert")).to_have_count(1)
    ada.join().inside().sees("Grace")
    expect(grace.tile("Ada").get_by_text("Microphone off")).to_be_attached()
    expect(grace.tile("Ada").locator("video")).to_be_hidden()


def test_what_fails_in_a_call_is_told_and_can_be_tried_again(meet: Meet) -> None:
    grace = meet("Grace").join().inside()
    ada = meet("Ada", script=REFUSING % "NotAllowedError").join().inside()
    for _ in range(2):
        ada.control("Start camera").click()
        ada.told("The browser does not let this page use your camera.")
        expect(ada.page.get_by_role("status").get_by_text("use your camera")).to_have_count(0)
    ada.page.evaluate("() => (window.refuse = '')")
    ada.control("Start camera").click()
    grace.sees("Ada")


def test_a_camera_that_is_unplugged_is_told(meet: Meet) -> None:
    ada = meet("Ada", script=REFUSING % "").join().inside()
    video = ada.page.get_by_role("article", name="You").locator("video")
    expect(video).to_be_visible()
    video.evaluate(
        """video => {
          window.refuse = "NotFoundError";
          const [track] = video.srcObject.getVideoTracks();
          track.stop();
          track.dispatchEvent(new Event("ended"));
        }"""
    )
    ada.told("No camera was found.")
    expect(ada.control("Start camera")).to_be_visible()
