"""The challenge that the engine gives by itself, as it is the same for every stranger but for its nonce."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.engine import AddressBudget, Challenge
from headgate.turn.authentication import challenge
from headgate.turn.credentials import Credentials
from headgate.turn.nonce import HEAD, Nonces
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import HEADER_SIZE, MessageClass

__all__ = ["standing_challenge"]


def standing_challenge(
    credentials: Credentials, nonces: Nonces, budget: AddressBudget, *, methods: Sequence[int], now: float
) -> Challenge:
    """Of those that ask for one of `methods` and carry no integrity: `authentication`'s first bullet."""
    refusal = challenge(ErrorCode.UNAUTHENTICATED, credentials, nonces, b"", now)
    answer = Answer(0, MessageClass.ERROR, bytes(12)).add_error(refusal.code)
    for attribute, value in refusal.attributes:
        answer.add(attribute, value)
    attributes = answer.finish()[HEADER_SIZE:]
    (nonce,) = (value for attribute, value in refusal.attributes if attribute == Attribute.NONCE)
    return Challenge(
        methods=methods,
        attributes=attributes,
        nonce_at=attributes.index(nonce) + HEAD,
        nonces=nonces.tags,
        budget=budget,
        now=now,
    )
