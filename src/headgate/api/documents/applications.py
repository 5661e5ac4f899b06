"""Documents of the `/api/v1/applications` dialect: the envelope and the two views of a client of seed 004."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

__all__ = [
    "Client",
    "ClientAnswer",
    "ClientStatistics",
    "ClientStatisticsAnswer",
    "ClientsAnswer",
    "EmptyAnswer",
    "Failure",
]


class Client(TypedDict):
    id: Annotated[str, Field(description="13 characters of A-Z and 0-9.")]
    creation_time: Annotated[int, Field(description="Unix time in milliseconds.")]
    last_ping: Annotated[
        int,
        Field(description="The last round trip in milliseconds; -1: unknown, as always in RTSP."),
    ]
    remote_address: Annotated[str, Field(description="Without the port.")]


class ClientStatistics(TypedDict):
    path: Annotated[str, Field(description="Application and scope the client is in: the path's whole name.")]
    bytes_out: Annotated[
        int, Field(description="What the client sent to the server: the directions are the client's.")
    ]
    bytes_in: Annotated[int, Field(description="What the server sent to the client.")]
    messages_written: Annotated[int, Field(description="RTP packets to the client.")]
    messages_read: Annotated[int, Field(description="RTP packets from the client.")]
    messages_dropped: Annotated[
        int, Field(description="RTP packets discarded because the client was too slow.")
    ]
    messages_pending: Annotated[int, Field(description="RTP packets waiting for the client; never negative.")]
    remote_port: int
    connection_protocol: Annotated[str, Field(description='"rtsp" or "rtsps".')]
    host: Annotated[str, Field(description="The server's address as the client reached it.")]
    id: str
    creation_time: int
    last_ping: int
    remote_address: str


class ClientsAnswer(TypedDict):
    status: Literal["success"]
    code: Literal[200]
    data: list[Client]
    timestamp: Annotated[int, Field(description="Unix time in milliseconds.")]


class ClientStatisticsAnswer(TypedDict):
    status: Literal["success"]
    code: Literal[200]
    data: ClientStatistics
    timestamp: int


class ClientAnswer(TypedDict):
    status: Literal["success"]
    code: Literal[200]
    data: Annotated[Client, Field(description="The client as it was.")]
    timestamp: int


class Nothing(TypedDict):
    """An empty object."""


class EmptyAnswer(TypedDict):
    status: Literal["success"]
    code: Literal[200]
    data: Nothing
    timestamp: int


class Failure(TypedDict):
    status: Literal["error"]
    code: Annotated[int, Field(description="The HTTP status once more.")]
    message: str
    timestamp: int
