"""MIKEY in RTSP's headers and descriptions, and whose keys are whose."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine import SrtpSuite
from headgate.media.rtsp.key_mgmt import (
    OFFERED_SUITE,
    Keyring,
    key_mgmt_attribute,
    key_mgmt_header,
    parse_attribute,
    parse_header,
    secured,
)
from headgate.media.rtsp.mikey import Source
from headgate.media.rtsp.sdp import SessionDescription
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.test_mikey import GSTREAMER_READER

TEXT = base64.b64encode(GSTREAMER_READER).decode()


def test_a_header_is_read_as_it_was_written() -> None:
    one = Keyring().key(0, ssrc=5)
    header = key_mgmt_header(one, url="rtsps://h/cam/trackID=0")
    assert header.startswith('prot=mikey;uri="rtsps://h/cam/trackID=0";data="')
    assert parse_header(header) == one
    assert parse_attribute(key_mgmt_attribute(one).removeprefix("a=key-mgmt:")) == one


@pytest.mark.parametrize(
    "form", ['prot=mikey;uri="x";data="{}"', "prot=MIKEY; data={}", 'data="{}" ; prot=mikey']
)
def test_forms_of_the_header(form: str) -> None:
    assert parse_header(form.format(TEXT)).sources == (Source(0x7E36FF80),)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "prot=mikey",
        f'data="{TEXT}"',
        f'prot=other;data="{TEXT}"',
        'prot=mikey;data="A"',
        'prot=mikey;data="AAAA"',
    ],
)
def test_headers_without_a_key(header: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_header(header)


@pytest.mark.parametrize("value", ["", "mikey", "mikey %%%", f"other {TEXT}", f"mikey {TEXT}{'A' * 5000}"])
def test_attributes_without_a_key(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_attribute(value)


@given(st.text(max_size=300))
def test_no_text_does_harm(text: str) -> None:
    for parse in (parse_header, parse_attribute):
        with contextlib.suppress(ValueError):
            parse(text)


def test_each_track_has_a_key_until_the_session_ends() -> None:
    keys = Keyring()
    first, second = keys.key(0), keys.key(1)
    assert first.suite is OFFERED_SUITE
    assert (first.key, first.salt) != (second.key, second.salt)
    assert keys.key(0, ssrc=9, suite=SrtpSuite.AEAD_AES_256_GCM).key == first.key, "promised already"
    assert keys.key(0).sources == (Source(9),)
    keys.forget()
    assert keys.key(0).key != first.key
    assert len(Keyring().key(0, suite=SrtpSuite.AEAD_AES_256_GCM).key) == 32


def test_a_description_with_keys() -> None:
    keys = Keyring()
    text = secured(SessionDescription.parse(SDP).for_readers(), [keys.key(0), keys.key(1)])
    assert text.count(b"RTP/SAVP ") == 2
    assert b"RTP/AVP" not in text
    read = SessionDescription.parse(text)
    for track in range(2):
        assert read.medias[track].secured
        attribute = read.key_mgmt(track)
        assert attribute is not None
        assert parse_attribute(attribute).key == keys.key(track).key
    assert b"key-mgmt" not in read.for_readers(), "not for others"
