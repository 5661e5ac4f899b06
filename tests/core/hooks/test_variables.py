"""What clients choose reaches a command as text that is nothing else, whatever the command does with it."""

from __future__ import annotations

import string
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.hooks.variables import encode, of_path, of_reader, of_source, without_secrets

HARMLESS = set(string.ascii_letters + string.digits + "_.-~/%")


@given(st.text())
def test_no_text_is_more_than_text(text: str) -> None:
    encoded = encode(text)
    assert set(encoded) <= HARMLESS
    assert encoded[:1] not in {"-", "~"}
    assert not {".", ".."} & set(encoded.split("/"))
    assert unquote(encoded) == text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("cam/1_a.b-c", "cam/1_a.b-c"),
        ("-rf", "%2Drf"),
        ("~root", "%7Eroot"),
        ("../x", "%2E%2E/x"),
        ("$(touch S)", "%24%28touch%20S%29"),
        ("a\nb;`c`|d>e&f", "a%0Ab%3B%60c%60%7Cd%3Ee%26f"),
    ],
)
def test_examples(text: str, encoded: str) -> None:
    assert encode(text) == encoded


def test_a_text_that_is_no_unicode_is_encoded_too() -> None:
    assert encode("\ud800") == "%3F"


def test_what_a_path_is_told_by() -> None:
    assert of_path("cam/-x", groups=("-x", ""), rtsp_port="8554") == {
        "MTX_PATH": "cam/-x",
        "RTSP_PATH": "cam/-x",
        "RTSP_PORT": "8554",
        "G1": "%2Dx",
        "G2": "",
    }


def test_a_query_is_told_without_what_lets_somebody_in() -> None:
    query = "a=b&jwt=X&TOKEN=X&p%61ss=X&password=X&access_token=X&c=/d&pass"
    assert without_secrets(query) == "a=b&c=/d"
    assert of_source(type="rtspSession", id="7", query=query) == {
        "MTX_QUERY": "a%3Db%26c%3D%2Fd",
        "MTX_SOURCE_TYPE": "rtspSession",
        "MTX_SOURCE_ID": "7",
    }
    assert of_reader(type="rtspSession", id="7", query="")["MTX_QUERY"] == ""
