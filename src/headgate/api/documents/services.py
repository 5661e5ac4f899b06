"""Documents of the `/v1` dialect: JSON:API as in seed 003; attributes beyond the seed stand last."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

__all__ = [
    "Errors",
    "Links",
    "Listener",
    "ServiceCollection",
    "ServiceDocument",
    "ServiceResource",
    "SessionAttributes",
    "SessionCollection",
    "SessionDocument",
    "SessionResource",
]


class Links(TypedDict):
    self: str


class Detail(TypedDict):
    detail: str


class Errors(TypedDict):
    errors: list[Detail]


class ServiceReference(TypedDict):
    id: str
    type: Literal["services"]


class ServiceRelation(TypedDict):
    links: Annotated[Links, Field(description="The collection, not the service: the seed's own form.")]
    data: list[ServiceReference]


class SessionRelationships(TypedDict):
    services: ServiceRelation


class SessionAttributes(TypedDict):
    """A listener has `state`, `connected`, `protocol`, `port` and `transport` only."""

    state: Annotated[
        str, Field(description="`Listener Session`, `Session Allocated`, `Session ready for routing`…")
    ]
    connected: Annotated[str, Field(description="Local time without a zone: `Wed May 17 10:06:35 2017`.")]
    user: NotRequired[Annotated[str, Field(description="Absent while nobody has logged in.")]]
    remote: NotRequired[Annotated[str, Field(description="The client's address without its port.")]]
    port: Annotated[int, Field(description="The client's port; of a listener, its own.")]
    protocol: str
    transport: Annotated[
        str | None, Field(description="How packets travel: `TCP`, `UDP`; null until the client has chosen.")
    ]
    role: NotRequired[Literal["idle", "read", "publish", "relay"]]
    target: NotRequired[Annotated[str | None, Field(description="What the session is about: a path name.")]]
    uuid: NotRequired[Annotated[UUID, Field(description="The same session in `/v3`.")]]
    code: NotRequired[Annotated[str, Field(description="The same session in `/api/v1/applications`.")]]
    user_agent: NotRequired[str]
    idle: NotRequired[Annotated[float, Field(description="Seconds since something last arrived.")]]
    seconds_alive: NotRequired[float]
    bytes_received: NotRequired[Annotated[int, Field(description="From the client.")]]
    bytes_sent: NotRequired[int]
    packets_received: NotRequired[int]
    packets_sent: NotRequired[int]
    packets_lost: NotRequired[int]
    packets_discarded: NotRequired[Annotated[int, Field(description="Not sent: the client was too slow.")]]


class SessionResource(TypedDict):
    id: Annotated[str, Field(description="A decimal number, from one counter for sessions and listeners.")]
    type: Literal["sessions"]
    relationships: SessionRelationships
    attributes: SessionAttributes
    links: Links


class SessionDocument(TypedDict):
    links: Links
    data: SessionResource


class SessionCollection(TypedDict):
    links: Links
    data: list[SessionResource]


class ListenerParameters(TypedDict):
    address: str
    port: int
    protocol: str
    transport: str


class ListenerAttributes(TypedDict):
    parameters: ListenerParameters


class Listener(TypedDict):
    id: str
    type: Literal["listeners"]
    attributes: ListenerAttributes


class Statistics(TypedDict):
    connections: int
    total_connections: int


class ServiceAttributes(TypedDict):
    router: str
    state: Literal["Started"]
    started: Annotated[str, Field(description="Local time without a zone.")]
    total_connections: Annotated[int, Field(description="Sessions opened since the service started.")]
    connections: Annotated[int, Field(description="Sessions open now.")]
    statistics: Annotated[Statistics, Field(description="The same two, where newer clients look for them.")]
    protocol: str
    listeners: list[Listener]


class ServiceRelationships(TypedDict):
    """Empty: the services of this version lead to no database servers and have no filters."""


class ServiceResource(TypedDict):
    id: str
    type: Literal["services"]
    relationships: ServiceRelationships
    attributes: ServiceAttributes
    links: Links


class ServiceDocument(TypedDict):
    links: Links
    data: ServiceResource


class ServiceCollection(TypedDict):
    links: Links
    data: list[ServiceResource]
