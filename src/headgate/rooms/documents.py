"""The documents of the channelling protocol as clients send them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = [
    "Action",
    "Alive",
    "Authentication",
    "Chat",
    "Conference",
    "ContactRequest",
    "Document",
    "Extension",
    "Hand",
    "Hello",
    "History",
    "Ignored",
    "Label",
    "Leave",
    "Media",
    "Moderate",
    "RoomUpdate",
    "SelfRequest",
    "Sessions",
    "SessionsType",
    "Settings",
    "Signal",
    "SignalType",
    "Status",
    "Users",
]


class Extension(enum.StrEnum):
    """What a client understands beyond the protocol of 2017."""

    STATE = "state"
    RESUME = "resume"


class SignalType(enum.StrEnum):
    """What two browsers say to each other to be connected."""

    OFFER = "Offer"
    ANSWER = "Answer"
    CANDIDATE = "Candidate"
    BYE = "Bye"


class SessionsType(enum.StrEnum):
    CONTACT = "contact"
    SESSION = "session"


class Media(enum.StrEnum):
    """What a participant can be muted in."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"
    CHAT = "chat"


class Action(enum.StrEnum):
    """What a moderator may do."""

    ADMIT = "admit"
    DENY = "deny"
    REMOVE = "remove"
    MUTE = "mute"
    UNMUTE = "unmute"
    LOWER = "lower"
    PROMOTE = "promote"
    DEMOTE = "demote"
    SETTINGS = "settings"
    CLOSE = "close"
    BREAKOUT = "breakout"
    GATHER = "gather"


@dataclass(frozen=True, slots=True)
class SelfRequest:
    """For a new Self."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    name: str
    type: str
    """Empty: the server's choice."""
    ua: str
    pin: str | None
    """None: no credentials were given, which is not an empty PIN."""
    extensions: frozenset[Extension] = frozenset()


@dataclass(frozen=True, slots=True)
class Leave:
    """Out of the room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomUpdate:
    name: str
    type: str
    pin: str | None
    """None: as it is; empty: none any more."""


@dataclass(frozen=True, slots=True)
class Users:
    """Who is in the room."""


@dataclass(frozen=True, slots=True)
class Status:
    status: Any


class Signal(NamedTuple):
    type: SignalType
    to: str
    payload: Any
    """Nobody's business but the two browsers'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRequest:
    id: str
    success: bool
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    to: str
    """Empty: everybody in the room."""
    message: str
    no_echo: bool
    mid: str
    status: dict[str, Any] = field(default_factory=dict)
    """Known keys only, without the contact request."""
    contact: ContactRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conference:
    id: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    alive: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    userid: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    type: SessionsType
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    raised: bool


@dataclass(frozen=True, slots=True)
class History:
    """What was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """None: as it is."""

    locked: bool | None = None
    lobby: bool | None = None
    limit: int | None = None
    history: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A breakout room to be opened."""

    label: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderate:
    action: Action
    id: str = ""
    """Empty: everybody, where the action allows it."""
    media: Media | None = None
    reason: str = ""
    settings: Settings = Settings()
    rooms: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """What travels between browsers only; some send it to the server all the same."""


Document = (
    SelfRequest
    | Hello
    | Leave
    | RoomUpdate
    | Users
    | Status
    | Signal
    | Chat
    | Conference
    | Alive
    | Authentication
    | Sessions
    | Hand
    | History
    | Moderate
    | Ignored
)
