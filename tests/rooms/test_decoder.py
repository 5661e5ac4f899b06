"""Whatever comes in is a document or a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.rooms.decoder import Incoming, decode
from headgate.rooms.documents import Alive, Chat, Conference, Hello, Ignored, RoomUpdate, Signal, Status
from headgate.rooms.refusal import Code, Refusal

TYPES = [
    "Self",
    "Hello",
    "Leave",
    "Room",
    "Users",
    "Status",
    "Offer",
    "Answer",
    "Candidate",
    "Bye",
    "Chat",
    "Conference",
    "Alive",
    "Authentication",
    "Sessions",
    "Hand",
    "History",
    "Moderate",
    "Talking",
    "Nonsense",
]
KEYS = [
    *TYPES,
    *[
        "Type",
        "To",
        "Id",
        "Iid",
        "Name",
        "Ua",
        "Credentials",
        "PIN",
        "Message",
        "Mid",
        "SeenMids",
        "FileInfo",
        "Geolocation",
        "ContactRequest",
    ],
    *[
        "Success",
        "Token",
        "Extensions",
        "Action",
        "Media",
        "Rooms",
        "Label",
        "Ids",
        "Limit",
        "Locked",
        "Userid",
        "Nonce",
        "Raised",
        "size",
    ],
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(TYPES),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=25,
)


def refused(text: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decode(text)
    return caught.value


def document(kind: str, body: Any) -> Any:
    return decode(json.dumps({"Type": kind, kind: body}).encode()).document


def outcome(text: bytes) -> Incoming | Refusal:
    """Nothing else is raised, whatever comes in."""
    try:
        return decode(text)
    except Refusal as refusal:
        return refusal


@given(st.binary(max_size=300))
def test_any_bytes(text: bytes) -> None:
    outcome(text)


@given(st.sampled_from(TYPES), VALUES, st.one_of(st.text(max_size=10), LEAVES))
def test_any_body(kind: str, body: Any, iid: Any) -> None:
    assert isinstance(outcome(json.dumps({"Type": kind, kind: body, "Iid": iid}).encode()).iid, str)


@given(st.sampled_from(TYPES[:-1]), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_any_fields(kind: str, body: dict[str, Any]) -> None:
    outcome(json.dumps({"Type": kind, kind: {**body, kind: body}}).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"Hello"',
        b"{}",
        b'{"Type":7}',
        b'{"Type":"Hello"}',
        b'{"Type":"Hello","Hello":null}',
        b'{"Type":"Hello","Hello":[]}',
        b'{"Type":"Offer","Offer":{"To":7}}',
        b'{"Type":"Alive","Alive":{"Alive":NaN}}',
        b'{"Type":"Self"} trailing',
        b'{"Type":"Self","Iid":{}}',
        b'{"Type":"Hello","Hello":{"Name":"\\ud800"}}',
        b"[" * 100_000,
        b'{"Type":"Alive","Alive":' + b"9" * 10_000 + b"}",
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ],
)
def test_what_is_no_document(text: bytes) -> None:
    assert refused(text).code is Code.BAD_REQUEST


def test_an_unknown_type() -> None:
    refusal = refused(b'{"Type":"Teleport","Iid":"9"}')
    assert (refusal.code, refusal.iid) == (Code.UNKNOWN_TYPE, "9")


def test_keys_in_any_case_and_the_exact_one_first() -> None:
    incoming = decode(b'{"TYPE":"x","Type":"Offer","oFFER":{"to":"1","To":"2","OFFER":null},"IID":"i"}')
    assert incoming.document == Signal(type="Offer", to="2", payload=None)  # type: ignore[arg-type]
    assert incoming.iid == "i"


def test_null_is_as_if_it_were_not_there() -> None:
    hello = document("Hello", {"Name": None, "Id": None, "Credentials": None, "Extensions": None})
    assert hello == Hello(name="", type="", ua="", pin=None)
    assert document("Hello", {"Credentials": {}}).pin == ""
    assert document("Room", {"Name": "x", "Credentials": {"PIN": None}}) == RoomUpdate(
        name="x", type="", pin=""
    )
    assert document("Chat", {"Chat": {"Message": None}}) == Chat(to="", message="", no_echo=False, mid="")


def test_payloads_are_nobodys_business() -> None:
    deep = {"a": [{"b": None}, 1.5, "é"]}
    assert document("Candidate", {"To": "x", "Candidate": deep}).payload == deep
    assert document("Status", {"Status": deep}) == Status(deep)
    assert document("Alive", {"Alive": deep}) == Alive(deep)


def test_a_list_has_its_bound() -> None:
    assert document("Conference", {"Id": "c", "Conference": ["x"] * 100}) == Conference(
        id="c", ids=("x",) * 100
    )
    text = json.dumps({"Type": "Conference", "Conference": {"Conference": ["x"] * 101}}).encode()
    assert refused(text).code is Code.BAD_REQUEST


def test_what_goes_between_browsers() -> None:
    for kind in ("Talking", "Screenshare", "Presentation", "YouTubeVideo"):
        assert decode(json.dumps({"Type": kind}).encode()).document == Ignored()


def test_a_long_user_agent_is_cut() -> None:
    assert len(document("Hello", {"Name": "x", "Ua": "u" * 4096}).ua) == 256


@pytest.mark.parametrize("kind", ["Offer", "Answer", "Candidate", "Bye", "offer", "Chat"])
@pytest.mark.parametrize(
    "body",
    [
        {"To": "2", "Type": "Offer", "Offer": {"sdp": "v=0"}},
        {"To": "2", "Bye": None, "Offer": None},
        {"to": "2", "offer": [1]},
        {"To": None, "to": "2", "Offer": 1},
        {"To": 2, "Offer": {}},
        {"To": "x" * 257, "Offer": {}},
        {"Offer": {}, "Candidate": "c"},
        {},
        None,
        "text",
    ],
)
def test_a_signal_is_the_same_however_it_is_written(kind: str, body: Any) -> None:
    """An Iid or another key leads the long way, to what the short one found."""
    found = []
    for more in ({}, {"Iid": "7"}, {"More": 1}):
        try:
            found.append(decode(json.dumps({"Type": kind, kind: body} | more).encode()).document)
        except Refusal as refusal:
            found.append((refusal.code, str(refusal)))
    assert found[0] == found[1] == found[2]
