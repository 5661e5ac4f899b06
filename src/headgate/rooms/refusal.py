"""What a client is told when its document cannot be followed."""

from __future__ import annotations

import enum

__all__ = ["Code", "Refusal"]


class Code(enum.StrEnum):
    """The Code of an Error document."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_TYPE = "unknown_type"
    NO_SUCH_SESSION = "no_such_session"
    NOT_IN_ROOM = "not_in_room"
    DEFAULT_ROOM_DISABLED = "default_room_disabled"
    REQUIRES_ACCOUNT = "room_join_requires_account"
    AUTHORIZATION_REQUIRED = "authorization_required"
    AUTHORIZATION_NOT_REQUIRED = "authorization_not_required"
    INVALID_CREDENTIALS = "invalid_credentials"
    REMOVED = "removed"
    ROOM_LOCKED = "room_locked"
    ROOM_FULL = "room_full"
    ADMISSION_REQUIRED = "admission_required"
    NOT_INVITED = "not_invited"
    ALREADY_AUTHENTICATED = "already_authenticated"
    INVALID_SESSION_TOKEN = "invalid_session_token"  # noqa: S105 (a word of the protocol)
    CONTACTS_NOT_ENABLED = "contacts_not_enabled"
    BAD_ATTESTATION = "bad_attestation"
    INVALID_CONTACT = "invalid_contact"
    NOT_A_MODERATOR = "not_a_moderator"
    MUTED = "muted"
    NOT_ALLOWED = "not_allowed"
    TOO_MANY_ROOMS = "too_many_rooms"


class Refusal(Exception):
    """Answered with an Error document; nothing has changed."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.iid = ""
