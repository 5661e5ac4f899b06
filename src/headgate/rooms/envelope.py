"""What the server sends: each envelope is written and framed once, for however many it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from headgate.rooms.refusal import Refusal
from headgate.rooms.websocket.frame import text_frame

__all__ = ["answer", "conference", "error", "from_sender", "from_server"]

Data = Mapping[str, Any]


def answer(data: Data, *, own: str, iid: str = "") -> bytes:
    """To the one who asked, from itself."""
    envelope: dict[str, Any] = {"Data": data, "From": own}
    if iid:
        envelope["Iid"] = iid
    return _frame(envelope)


def error(refusal: Refusal, *, own: str) -> bytes:
    data = {"Type": "Error", "Code": refusal.code.value, "Message": str(refusal)}
    return answer(data, own=own, iid=refusal.iid)


def from_sender(data: Data, *, sender: str, attestation: str, to: str = "") -> bytes:
    """From one participant to another, or to everybody in a room."""
    envelope: dict[str, Any] = {"Data": data, "From": sender}
    if to:
        envelope["To"] = to
    envelope["A"] = attestation
    return _frame(envelope)


def from_server(data: Data, *, to: str = "") -> bytes:
    envelope: dict[str, Any] = {"Data": data}
    if to:
        envelope["To"] = to
    return _frame(envelope)


def conference(room_id: str, ids: Sequence[str]) -> bytes:
    """Who calls whom in a room of this type."""
    return from_server({"Type": "Conference", "Id": room_id, "Conference": list(ids)}, to=room_id)


def _frame(envelope: Data) -> bytes:
    # A number too large for a float is infinite by now, which JSON cannot say.
    return text_frame(to_json(envelope, inf_nan_mode="null") + b"\n")
