"""`/events`: everything that happens, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import WithJsonSchema
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from headgate.api.documents.media import Error
from headgate.api.event_filter import parse_types
from headgate.api.failure import BadRequest, failure
from headgate.api.relay_events import Names, data_of, name_of
from headgate.api.view import Viewed
from headgate.core.events import Bus, Event, Published

__all__ = ["HEARTBEAT", "SUBSCRIBER_LIMIT", "Subscribers", "router", "stream"]

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent: proxies cut a connection that is silent for 30 to 60."""
RETRY = 2000
"""Milliseconds a browser waits before it connects again."""
SUBSCRIBER_LIMIT = 64
LARGEST_ID_LENGTH = 19  # of a 64-bit number

AN_ID = WithJsonSchema({"type": "integer", "minimum": 0})
LastEventIdHeader = Annotated[str | None, Header(description="Send what came after this id first."), AN_ID]
LastEventIdQuery = Annotated[
    str | None, Query(alias="lastEventId", description="The same, for those who cannot set headers."), AN_ID
]

TypesQuery = Annotated[
    str | None,
    Query(description="Only these, with commas between: `session.closed`, `relay` (all of its), `allocate`."),
    WithJsonSchema({"type": "string"}),
]
NamesQuery = Annotated[
    str | None,
    Query(description="What the relay's events are called: as in its documentation, or as turn-rs does it."),
    WithJsonSchema({"type": "string", "enum": list(Names), "default": Names.DOCUMENT}),
]

router = APIRouter(tags=["events"])


class Subscribers:
    """Counts the streams that are open, so that they stay few."""

    def __init__(self) -> None:
        self.open = 0


class EventStream(StreamingResponse):
    """A stream that is counted from the moment it is granted until the client is gone."""

    def __init__(self, content: AsyncGenerator[bytes, None], *, subscribers: Subscribers) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._subscribers = subscribers
        subscribers.open += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscribers.open -= 1


@router.get(
    "/events",
    operation_id="events",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {
            "description": "A stream that ends with the server. `event` is the type: `connection.opened`, "
            "`connection.closed`, `session.opened`, `session.changed`, `session.closed`, `path.ready`, "
            "`path.notReady`, `service.started`; of the relay, `allocate`, `channel binding`, "
            "`create permission`, `refresh`, `closed`, `relay.peerDenied`. "
            "An `event: lost` with a `count` says how many events this subscriber will never see, "
            "because it was too slow or asked for older ones than are kept; "
            "`null` when the server was started anew since.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        400: {"model": Error, "description": "The last id is no number, or there is no such event."},
        503: {"model": Error, "description": f"More than {SUBSCRIBER_LIMIT} subscribers."},
    },
)
async def events(
    view: Viewed,
    request: Request,
    last_event_id: LastEventIdHeader = None,
    last_event_id_query: LastEventIdQuery = None,
    types: TypesQuery = None,
    names: NamesQuery = None,
) -> Response:
    """Every change of a session, path or service, as it happens."""
    subscribers: Subscribers = request.app.state.subscribers
    if subscribers.open >= SUBSCRIBER_LIMIT:
        detail = f"there are {SUBSCRIBER_LIMIT} subscribers already"
        return failure(request.url.path, status=503, detail=detail, headers={"retry-after": "5"})
    after = _parse_id(last_event_id or last_event_id_query)
    if names and names not in set(Names):
        raise BadRequest(f"names is one of {', '.join(Names)}")
    content = stream(
        view.bus, after=after, types=parse_types(types), names=Names(names) if names else Names.DOCUMENT
    )
    return EventStream(content, subscribers=subscribers)


def _parse_id(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LARGEST_ID_LENGTH):
        raise BadRequest("Last-Event-ID is not a number")
    return int(text)


async def stream(
    bus: Bus,
    *,
    after: int | None,
    heartbeat: float = HEARTBEAT,
    types: frozenset[type[Event]] | None = None,
    names: Names = Names.DOCUMENT,
) -> AsyncGenerator[bytes, None]:
    """The bytes of one subscriber's stream, from the event `after` on, else from now.

    `types`: only these; None: all. A subscriber of few hears in silence how far the others have come,
    so that it does not ask for those again.

    Ends after the bus was closed. Ids have no holes, so a hole is what was lost.
    """
    with bus.subscribe() as subscription:
        last = bus.last_id if after is None else after
        yield f"retry: {RETRY}\n\n".encode()
        if last > bus.last_id:
            # An id of a former life of the server: how many events came since, nobody knows.
            yield _lost(None, id=0)
            last = 0
        # A reader that stays away during this first part meets the same events again in its queue.
        batch = bus.since(last)
        told = last
        while True:
            for published in batch:
                if published.id > last:
                    if published.id > last + 1:
                        yield _lost(published.id - last - 1, id=published.id - 1)
                        told = published.id - 1
                    last = published.id
                    if types is None or type(published.event) in types:
                        yield _event(published, names)
                        told = last
            try:
                async with asyncio.timeout(heartbeat):
                    batch = await subscription.batch()
            except TimeoutError:
                yield b":\n\n" if told == last else f"id: {last}\n\n".encode()
                told = last
                batch = []
                continue
            if not batch:
                return


def _event(published: Published, names: Names) -> bytes:
    data = to_json(data_of(published)).decode()
    name = name_of(type(published.event), names)
    return f"id: {published.id}\nevent: {name}\ndata: {data}\n\n".encode()


def _lost(count: int | None, *, id: int) -> bytes:
    data = to_json({"type": "lost", "count": count}).decode()
    return f"id: {id}\nevent: lost\ndata: {data}\n\n".encode()
