"""Errors that the wire answers with (RFC 8489 14.8, RFC 8656 19, RFC 6062 6.4, RFC 8016 3.4)."""

from __future__ import annotations

import enum

from headgate.core.enumeration import plain_members

__all__ = ["ErrorCode", "Refusal"]


@plain_members
class ErrorCode(enum.IntEnum):
    TRY_ALTERNATE = 300
    BAD_REQUEST = 400
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    MOBILITY_FORBIDDEN = 405
    UNKNOWN_ATTRIBUTE = 420
    ALLOCATION_MISMATCH = 437
    STALE_NONCE = 438
    ADDRESS_FAMILY_NOT_SUPPORTED = 440
    WRONG_CREDENTIALS = 441
    UNSUPPORTED_TRANSPORT = 442
    ADDRESS_FAMILY_MISMATCH = 443
    CONNECTION_ALREADY_EXISTS = 446
    CONNECTION_TIMEOUT_OR_FAILURE = 447
    ALLOCATION_QUOTA_REACHED = 486
    SERVER_ERROR = 500
    INSUFFICIENT_CAPACITY = 508


class Refusal(Exception):
    """A request is answered with an error. `text` is for operators; a stranger over UDP gets none of it."""

    def __init__(
        self, code: ErrorCode, text: str = "", *, attributes: tuple[tuple[int, bytes], ...] = ()
    ) -> None:
        super().__init__(text or code.name)
        self.code = code
        self.text = text
        self.attributes = attributes
        """Beside ERROR-CODE: UNKNOWN-ATTRIBUTES, ALTERNATE-SERVER."""
