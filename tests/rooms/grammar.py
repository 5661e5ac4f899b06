"""Good documents of every type, and what is put in the place of their parts to make them hostile."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable
from typing import Any, Protocol

from PIL import Image

from headgate.rooms.documents import Action

__all__ = ["BYTES", "DOCUMENTS", "KEYS", "NASTY", "Chooser"]

ROOMS = ("tea", "coffee", "meeting-1", "lounge", "tea/one", "")


class Chooser(Protocol):
    """Who knows what can be named: the people, their tokens."""

    def id(self) -> str:
        """Somebody's."""

    def ids(self) -> list[str]: ...

    def token(self) -> str:
        """Of a contact, an attestation, or none."""

    def word(self, *words: Any) -> Any:
        """One of them."""

    def switch(self) -> bool: ...


def _picture() -> str:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "orange").save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


PICTURE = _picture()
Body = Callable[[Chooser], Any]


def _hello(by: Chooser) -> Any:
    pin = by.word(None, None, None, {"PIN": "1"}, {"PIN": ""}, {})
    extensions = by.word([], ["state"], ["resume"], ["state", "resume"])
    return {"Name": by.word(*ROOMS), "Type": by.word("", "", "Room", "Conference", "x"), "Ua": "F",
            "Credentials": pin, "Extensions": extensions}  # fmt: skip


def _status(by: Chooser) -> Any:
    inner = {
        "displayName": "One",
        "message": "m",
        "buddyPicture": by.word("", "img:x/y", PICTURE, PICTURE[:99]),
    }
    return {"Type": "Status", "Status": inner}


def _chat(by: Chooser) -> Any:
    contact = {"Id": "r", "Success": by.switch(), "Token": by.token()}
    status = by.word(
        None,
        {"Typing": "start"},
        {"SeenMids": ["a"], "Mid": "m", "State": "delivered"},
        {"FileInfo": {"id": "f", "chunks": 1, "name": "n", "size": 9, "type": "t"}},
        {"Geolocation": {"latitude": 1.5, "longitude": 2}},
        {"ContactRequest": contact},
        {"AutoCall": {"Id": "x", "Type": "y"}},
    )
    inner = {"Message": by.word("hello", "", None), "NoEcho": by.switch(), "Mid": by.word("", "m")}
    return {"Type": "Chat", "To": by.word("", by.id()), "Chat": {**inner, "Status": status}}


def _moderate(by: Chooser) -> Any:
    rooms = [{"Label": by.word("one", "two", "three"), "Ids": by.ids()}, {"Label": "four", "Ids": by.ids()}]
    settings = {
        "Locked": by.switch(),
        "Lobby": by.switch(),
        "Limit": by.word(0, 2, 9),
    }
    return {"Action": by.word(*Action).value, "Id": by.id(), "Media": by.word("audio", "chat"), "Reason": "r",
            "Rooms": rooms, "History": by.switch(), **settings}  # fmt: skip


DOCUMENTS: dict[str, Body] = {
    "Self": lambda _: {},
    "Hello": _hello,
    "Leave": lambda _: {},
    "Users": lambda _: {},
    "Room": lambda by: {"Name": by.word(*ROOMS), "Type": by.word("", "Room"), "Credentials": {"PIN": "1"}},
    "Status": _status,
    "Offer": lambda by: {"To": by.id(), "Type": "Offer", "Offer": {"sdp": "v=0", "type": "offer"}},
    "Answer": lambda by: {"To": by.id(), "Type": "Answer", "Answer": {"sdp": "v=0"}},
    "Candidate": lambda by: {"To": by.id(), "Type": "Candidate", "Candidate": {"candidate": "c"}},
    "Bye": lambda by: {"To": by.id(), "Type": "Bye", "Bye": {"Reason": "busy"}},
    "Chat": _chat,
    "Conference": lambda by: {"Id": "c", "Type": "Conference", "Conference": by.ids()},
    "Alive": lambda _: {"Type": "Alive", "Alive": 1},
    "Authentication": lambda _: {"Authentication": {"Userid": "ann", "Nonce": "n"}},
    "Sessions": lambda by: {"Sessions": {"Type": by.word("contact", "session"), "Token": by.token()}},
    "Hand": lambda by: {"Raised": by.switch()},
    "History": lambda _: {},
    "Moderate": _moderate,
    "Talking": lambda _: {"Talking": True},
}
KEYS = [*DOCUMENTS, "Type", "To", "Id", "Iid", "Name", "PIN", "Message", "Status", "Token", "Limit", "Rooms"]
NASTY: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda _: {},
    lambda _: [],
    lambda by: by.random() < 0.5,
    lambda by: by.choice((0, -1, 2**31, 2**63, -(2**63) - 1, 10**300, 1e308, 5e-324)),
    lambda by: by.choice(
        ("", "\0", "\n", "é", "🫖", "\u202e", "\x7f", "a" * 300, "__proto__", "%s%n", "../..")
    ),
    lambda by: "x" * by.choice((127, 129, 255, 257, 4097, 70_000)),
    lambda by: [by.choice((None, "x", 7, {}))] * by.choice((1, 101, 5001)),
    lambda by: _nested(by.choice((3, 150, 197, 300))),
    lambda by: by.choice((PICTURE, "data:text/html;base64,PGI+", "data:image/svg+xml;base64,PHN2Zy8+")),
)
BYTES = (b"\xff", b"\xc0\x80", b"\\ud800", b"\0", b'"', b"{", b"}", b"[" * 250, b"1e999", b"9" * 500, b"NaN")


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value
