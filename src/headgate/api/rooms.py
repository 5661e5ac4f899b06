"""`/rooms`: the rooms in which people meet, for operators. The rooms wing has its public API itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ValidationError, WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.body import read_object
from headgate.api.documents import media
from headgate.api.documents import rooms as document
from headgate.api.exposition import Family, Kind
from headgate.api.failure import BadRequest
from headgate.api.view import View, Viewed
from headgate.core.errors import NotFound
from headgate.core.room_directory import ParticipantView, RoomDirectory, RoomView
from headgate.core.session import CloseReason

__all__ = ["families", "router"]

REASON_LIMIT = 256  # characters

router = APIRouter(prefix="/rooms", tags=["rooms"])
M = TypeVar("M", bound=BaseModel)


async def _directory(view: Viewed) -> RoomDirectory:
    """Raises NotFound."""
    if view.rooms is None:
        raise NotFound("there are no rooms")
    return view.rooms


Name = Annotated[str | None, Query(max_length=255), WithJsonSchema({"type": "string"})]
Directory = Annotated[RoomDirectory, Depends(_directory)]


def _answers(model: object) -> dict[int | str, dict[str, Any]]:
    """What an operation may answer, for OpenAPI."""
    return {
        200: {"model": model},
        400: {"model": media.Error, "description": "The request cannot be followed."},
        404: {"model": media.Error, "description": "No such room, or nobody of that session in it."},
        500: {"model": media.Error, "description": "A bug in the server; it was logged."},
    }


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("", operation_id="listRooms", responses=_answers(document.Rooms))
async def list_rooms(rooms: Directory, name: Name = None) -> Response:
    """Every room, oldest first; with `name`, those that are called so."""
    items = [_room(room) for room in rooms.rooms() if name is None or room.name == name]
    return _json({"itemCount": len(items), "items": items})


@router.post(
    "", operation_id="openRoom", responses=_answers(document.Room), openapi_extra=_body(document.NewRoom)
)
async def open_room(rooms: Directory, request: Request) -> Response:
    """A room that waits for people: for a minute, or with `keep` until it is closed."""
    given = await _read(request, document.NewRoom)
    if not (given.name + given.type).isprintable():
        raise BadRequest("name, type: no control characters")
    return _json(_room(rooms.open(**given.model_dump())))


@router.get("/{id}", operation_id="getRoom", responses=_answers(document.RoomDetails))
async def get_room(rooms: Directory, id: str) -> Response:
    """One room with everybody in it."""
    members = [_participant(one) for one in rooms.participants(id)]
    return _json({**_room(rooms.room(id)), "members": members})


@router.delete("/{id}", operation_id="closeRoom", responses=_answers(document.Room))
async def close_room(
    rooms: Directory, id: str, reason: Annotated[str, Query(max_length=REASON_LIMIT)] = ""
) -> Response:
    """Put everybody out.

    When this answers, the room is gone.
    """
    room = rooms.room(id)
    rooms.close(id, reason=reason)
    return _json(_room(room))


@router.delete(
    "/{id}/participants/{session}", operation_id="kickParticipant", responses=_answers(document.Participant)
)
async def kick(view: Viewed, rooms: Directory, id: str, session: int) -> Response:
    """End the session of somebody in the room, by its number."""
    for one in rooms.participants(id):
        if one.session.number == session:
            view.registry.close(view.registry.by_number(session), CloseReason.KICKED)
            return _json(_participant(one))
    raise NotFound("session not found")


@router.post(
    "/{id}/messages",
    operation_id="announceInRoom",
    responses=_answers(document.Told),
    openapi_extra=_body(document.Message),
)
async def announce(rooms: Directory, id: str, request: Request) -> Response:
    """Tell everybody in the room something: an Announcement."""
    given = await _read(request, document.Message)
    return _json({"told": rooms.announce(id, given.message)})


async def _read(request: Request, model: type[M]) -> M:
    """Raises BadRequest."""
    given = await read_object(request)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}") from None


def _room(room: RoomView) -> document.Room:
    return {
        "id": room.id,
        "type": room.type,
        "name": room.name,
        "created": room.created,
        "participants": room.participants,
        "waiting": room.waiting,
        "locked": room.locked,
        "lobby": room.lobby,
        "limit": room.limit,
        "pin": room.pin,
        "keep": room.keep,
    }


def _participant(one: ParticipantView) -> document.Participant:
    return {
        "id": one.id,
        "userid": one.userid,
        "session": one.session.number,
        "uuid": one.session.uuid,
        "moderator": one.moderator,
        "away": one.away,
    }


def _json(body: object) -> Response:
    return Response(to_json(body), media_type="application/json")


# Metrics


def families(view: View) -> Iterator[Family]:
    """For `/metrics`."""
    if view.rooms is None:
        return
    for name, count in view.rooms.counts().items():
        kind = Kind.COUNTER if name.endswith("_total") else Kind.GAUGE
        words = name.removesuffix("_total").replace("_", " ").capitalize()
        family = Family(f"headgate_rooms_{name}", kind, f"{words} in the rooms wing.")
        family.add(count)
        yield family
