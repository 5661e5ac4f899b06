"""The JSON documents of `/rooms`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

__all__ = ["Message", "NewRoom", "Participant", "Room", "RoomDetails", "Rooms", "Told"]


class Room(TypedDict):
    id: Annotated[str, Field(description="13 characters; made by the server.")]
    type: str
    name: str
    created: datetime
    participants: Annotated[int, Field(description="People in it now.")]
    waiting: Annotated[int, Field(description="People in its lobby.")]
    locked: bool
    lobby: bool
    limit: Annotated[int, Field(description="People at once; 0: as configured.")]
    pin: Annotated[bool, Field(description="Whether there is one.")]
    keep: Annotated[bool, Field(description="Whether it stays without anybody in it.")]


class Rooms(TypedDict):
    itemCount: int
    items: list[Room]


class Participant(TypedDict):
    id: Annotated[str, Field(description="Its Id in the channelling protocol.")]
    userid: str
    session: Annotated[int, Field(description="Its number in `/v1`.")]
    uuid: UUID
    moderator: bool
    away: Annotated[bool, Field(description="Its connection is lost, and may come back.")]


class RoomDetails(Room):
    members: list[Participant]


class Told(TypedDict):
    told: Annotated[int, Field(description="People who were in the room.")]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewRoom(_Given):
    type: Annotated[str, Field(min_length=1, max_length=64)] = "Room"
    name: Annotated[str, Field(max_length=255)]
    pin: Annotated[str, Field(max_length=256)] = ""
    limit: Annotated[int, Field(ge=0, le=5000)] = 0
    lobby: bool = False
    locked: bool = False
    keep: bool = False


class Message(_Given):
    message: Annotated[str, Field(min_length=1, max_length=4096)]
