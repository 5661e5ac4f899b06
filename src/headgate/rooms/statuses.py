"""Status: what a participant shows of itself, and its picture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from headgate.rooms.participant import Participant
from headgate.rooms.pictures import Picture
from headgate.rooms.refusal import Code, Refusal

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["change"]

SIZE_LIMIT = 8192
"""Bytes of JSON besides the picture. Everybody in a room is sent everybody's."""
PICTURE = "buddyPicture"


def change(hub: Hub, sender: Participant, status: Any) -> None:
    """At once, or when its picture is decoded. Raises Refusal."""
    picture = status.get(PICTURE) if isinstance(status, dict) else None
    rest = status
    if picture is not None:
        if not isinstance(picture, str):
            raise Refusal(Code.BAD_REQUEST, f"{PICTURE} is text")
        rest = {**status, PICTURE: ""}
    inline = picture if picture is not None and picture.startswith("data:") else None
    size = len(to_json(status if inline is None else rest, inf_nan_mode="null"))
    if size > SIZE_LIMIT:
        raise Refusal(Code.BAD_REQUEST, "the status is too large")
    if inline is None:
        _show(hub, sender, status, size)
        return
    if not hub.pictures.read(inline, functools.partial(_pictured, hub, sender, status, size)):
        raise Refusal(Code.BAD_REQUEST, f"{PICTURE} is no PNG, JPEG, GIF or WebP as data:…;base64,…")


def _pictured(
    hub: Hub, sender: Participant, status: dict[str, Any], size: int, picture: Picture | None
) -> None:
    """The participant may be gone by now."""
    if not hub.is_here(sender):
        return
    if picture is None:
        hub.refuse(sender, Refusal(Code.BAD_REQUEST, f"{PICTURE} cannot be decoded"))
        return
    sender.image = hub.pictures.keep(sender.image, picture)
    _show(hub, sender, {**status, PICTURE: f"img:{sender.image}/{picture.change}/{picture.file}"}, size)


def _show(hub: Hub, sender: Participant, status: Any, size: int) -> None:
    sender.profile.status, sender.profile.size = status, size
    sender.profile.rev += 1
    if sender.room is not None:
        told = sender.profile.changed(sender.public_id)
        hub.broadcast(sender.room, hub.frame_of(sender, told), sender=sender)
