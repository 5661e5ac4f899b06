"""From a text frame to a document, or to the error that the client is told."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic_core import from_json

from headgate.rooms.documents import (
    Action,
    Alive,
    Authentication,
    Chat,
    Conference,
    ContactRequest,
    Document,
    Extension,
    Hand,
    Hello,
    History,
    Ignored,
    Label,
    Leave,
    Media,
    Moderate,
    RoomUpdate,
    SelfRequest,
    Sessions,
    SessionsType,
    Settings,
    Signal,
    SignalType,
    Status,
    Users,
)
from headgate.rooms.refusal import Code, Refusal

__all__ = ["Incoming", "decode", "room_name"]

IID_LIMIT = 128  # characters
NAME_LIMIT = 255  # characters of a room's name; as long as a path's
TYPE_LIMIT = 64
ID_LIMIT = 256  # the old server's had 156
TEXT_LIMIT = 4096  # a signed value, a reason, a user agent: what is longer is no such thing
REASON_LIMIT = 256
UA_LIMIT = 256
LIST_LIMIT = 5000  # ids in a list: as many as a room may have people
CONFERENCE_LIMIT = 100
BREAKOUT_LIMIT = 50
LABEL_LIMIT = 64
LARGEST_LIMIT = 5000

SIGNALS = {signal.value: signal for signal in SignalType}

E = TypeVar("E", bound=enum.StrEnum)
Body = Mapping[str, Any]


class Incoming(NamedTuple):
    document: Document
    iid: str


def decode(text: bytes) -> Incoming:
    """Keys are taken in any case, null as if it were not there, as the old server's language has it.

    Raises Refusal with the Iid where there was one; and nothing else, whatever the bytes.
    """
    try:
        envelope = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        raise Refusal(Code.BAD_REQUEST, "this is not JSON") from None
    if not isinstance(envelope, dict):
        raise Refusal(Code.BAD_REQUEST, "a document is an object")
    if (signal := _plain_signal(envelope)) is not None:
        return Incoming(signal, "")
    iid = _text(envelope, "Iid", IID_LIMIT)
    try:
        return Incoming(_document(envelope), iid)
    except Refusal as refusal:
        refusal.iid = iid
        raise


def _plain_signal(envelope: Body) -> Signal | None:
    """A signal as browsers write it, which is most of what a server hears; None: look closer."""
    kind = envelope.get("Type")
    if not isinstance(kind, str) or kind not in SIGNALS or len(envelope) != 2:
        return None
    body = envelope.get(kind)
    if not isinstance(body, dict) or kind not in body:
        return None
    to = body.get("To")
    if not isinstance(to, str) or len(to) > ID_LIMIT:
        return None
    return Signal(SIGNALS[kind], to, body[kind])


def _document(envelope: Body) -> Document:  # one table of the protocol; it is read from top to bottom
    kind = _text(envelope, "Type", TYPE_LIMIT)
    match kind:
        case "Offer" | "Answer" | "Candidate" | "Bye":
            body = _body(envelope, kind)
            return Signal(type=SIGNALS[kind], to=_text(body, "To", ID_LIMIT), payload=_field(body, kind))
        case "Alive":
            return Alive(_field(_body(envelope, kind), kind))
        case "Chat":
            return _chat(_body(envelope, kind))
        case "Status":
            return Status(_field(_body(envelope, kind), kind))
        case "Hello":
            return _hello(_body(envelope, kind))
        case "Self":
            return SelfRequest()
        case "Leave":
            return Leave()
        case "Users":
            return Users()
        case "Room":
            body = _body(envelope, kind)
            return RoomUpdate(
                name=room_name(body, "Name"), type=_text(body, "Type", TYPE_LIMIT), pin=_pin(body)
            )
        case "Conference":
            body = _body(envelope, kind)
            ids = _texts(body, kind, CONFERENCE_LIMIT)
            return Conference(id=_text(body, "Id", TEXT_LIMIT), ids=ids)
        case "Authentication":
            body = _inner(_body(envelope, kind), kind)
            return Authentication(
                userid=_text(body, "Userid", TEXT_LIMIT), nonce=_text(body, "Nonce", TEXT_LIMIT)
            )
        case "Sessions":
            body = _inner(_body(envelope, kind), kind)
            return Sessions(type=_word(body, "Type", SessionsType), token=_text(body, "Token", TEXT_LIMIT))
        case "Hand":
            return Hand(raised=_switch(_body(envelope, kind), "Raised") or False)
        case "History":
            return History()
        case "Moderate":
            return _moderate(_body(envelope, kind))
        case "Talking" | "Screenshare" | "Presentation" | "YouTubeVideo":
            return Ignored()
    raise Refusal(Code.UNKNOWN_TYPE if kind else Code.BAD_REQUEST, "no such type of a document")


def _hello(body: Body) -> Hello:
    extensions = _texts(body, "Extensions", LIST_LIMIT)
    return Hello(
        name=room_name(body, "Name") or room_name(body, "Id"),
        type=_printable(body, "Type", TYPE_LIMIT),
        ua=_text(body, "Ua", TEXT_LIMIT)[:UA_LIMIT],
        pin=_pin(body),
        extensions=frozenset(one for one in Extension if one.value in extensions),
    )


def _pin(body: Body) -> str | None:
    credentials = _optional(body, "Credentials")
    if credentials is None:
        return None
    return _text(credentials, "PIN", TEXT_LIMIT)


def _chat(body: Body) -> Chat:
    inner = _inner(body, "Chat")
    status = _optional(inner, "Status")
    contact = None if status is None else _optional(status, "ContactRequest")
    return Chat(
        to=_text(body, "To", ID_LIMIT),
        message=_text(inner, "Message"),
        no_echo=_switch(inner, "NoEcho") or False,
        mid=_text(inner, "Mid", ID_LIMIT),
        status={} if status is None else _chat_status(status),
        contact=None
        if contact is None
        else ContactRequest(
            id=_text(contact, "Id", ID_LIMIT),
            success=_switch(contact, "Success") or False,
            token=_text(contact, "Token", TEXT_LIMIT),
        ),
    )


def _chat_status(given: Body) -> dict[str, Any]:
    status: dict[str, Any] = {}
    for key in ("Typing", "State", "Mid"):
        if text := _text(given, key, ID_LIMIT):
            status[key] = text
    if seen := _texts(given, "SeenMids", LIST_LIMIT):
        status["SeenMids"] = list(seen)
    if (info := _optional(given, "FileInfo")) is not None:
        status["FileInfo"] = {
            "id": _text(info, "id", TEXT_LIMIT),
            "chunks": _number(info, "chunks"),
            "name": _text(info, "name", TEXT_LIMIT),
            "size": _number(info, "size"),
            "type": _text(info, "type", TEXT_LIMIT),
        }
    if (place := _optional(given, "Geolocation")) is not None:
        status["Geolocation"] = {
            key: _number(place, key)
            for key in ("accuracy", "latitude", "longitude", "altitude", "altitudeAccuracy")
        }
    if (call := _optional(given, "AutoCall")) is not None:
        status["AutoCall"] = {"Id": _text(call, "Id", ID_LIMIT), "Type": _text(call, "Type", TYPE_LIMIT)}
    return status


def _moderate(body: Body) -> Moderate:
    action = _word(body, "Action", Action)
    media = _word(body, "Media", Media) if action in {Action.MUTE, Action.UNMUTE} else None
    settings = Settings()
    if action is Action.SETTINGS:
        limit = _field(body, "Limit")
        if limit is not None and (
            not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= LARGEST_LIMIT
        ):
            raise _bad("Limit")
        settings = Settings(
            locked=_switch(body, "Locked"),
            lobby=_switch(body, "Lobby"),
            limit=limit,
            history=_switch(body, "History"),
        )
    return Moderate(
        action=action,
        id=_text(body, "Id", ID_LIMIT),
        media=media,
        reason=_text(body, "Reason", REASON_LIMIT),
        settings=settings,
        rooms=_labels(body) if action is Action.BREAKOUT else (),
    )


def _labels(body: Body) -> tuple[Label, ...]:
    rooms = _field(body, "Rooms")
    if not isinstance(rooms, list) or not 0 < len(rooms) <= BREAKOUT_LIMIT:
        raise _bad("Rooms")
    labels = []
    for one in rooms:
        if not isinstance(one, dict):
            raise _bad("Rooms")
        label = _printable(one, "Label", LABEL_LIMIT)
        if not label or "/" in label:
            raise _bad("Label")
        labels.append(Label(label=label, ids=_texts(one, "Ids", LIST_LIMIT)))
    if len({label.label for label in labels}) < len(labels):
        raise _bad("Label")
    return tuple(labels)


# Fields


def _bad(key: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"{key} is not what it has to be")


def _field(body: Body, key: str) -> Any:
    """As the key is written, else in any case; the first one, where there are several."""
    value = body.get(key)
    if value is not None or key in body:
        return value
    # Most keys that are looked for are not there: nothing is written in small letters that may not be it.
    size = len(key)
    for name in body:
        if len(name) == size and name.lower() == key.lower():
            return body[name]
    return None


def _body(envelope: Body, key: str) -> Body:
    body = _field(envelope, key)
    if not isinstance(body, dict):
        raise Refusal(Code.BAD_REQUEST, f"the document has no {key}")
    return body


_inner = _body


def _optional(body: Body, key: str) -> Body | None:
    inner = _field(body, key)
    if inner is not None and not isinstance(inner, dict):
        raise _bad(key)
    return inner


def _text(body: Body, key: str, limit: int | None = None) -> str:
    value = body.get(key)
    if value is None:
        value = _field(body, key)
        if value is None:
            return ""
    if not isinstance(value, str) or (limit is not None and len(value) > limit):
        raise _bad(key)
    return value


def _printable(body: Body, key: str, limit: int) -> str:
    """It gets into names of rooms, and with them to operators."""
    text = _text(body, key, limit)
    if not text.isprintable():
        raise _bad(key)
    return text


def room_name(body: Body, key: str) -> str:
    """A room's name in a document. Raises Refusal."""
    return _printable(body, key, NAME_LIMIT)


def _texts(body: Body, key: str, limit: int) -> tuple[str, ...]:
    values = _field(body, key)
    if values is None:
        return ()
    if not isinstance(values, list) or len(values) > limit:
        raise _bad(key)
    if not all(isinstance(value, str) and len(value) <= ID_LIMIT for value in values):
        raise _bad(key)
    return tuple(values)


def _switch(body: Body, key: str) -> bool | None:
    value = _field(body, key)
    if value is not None and not isinstance(value, bool):
        raise _bad(key)
    return value


def _number(body: Body, key: str) -> float:
    value = _field(body, key)
    if value is None:
        return 0
    # Browsers send whole numbers beyond 64 bits for nothing.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:
        raise _bad(key)
    return value


def _word(body: Body, key: str, words: Callable[[str], E]) -> E:
    try:
        return words(_text(body, key, TYPE_LIMIT))
    except ValueError:
        raise _bad(key) from None
