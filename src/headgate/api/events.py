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
from headgate.api.failure import BadRequest, failure
from headgate.api.view import Viewed
from headgate.core.events import Bus, Published

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
            "`path.notReady`, `service.started`. "
            "An `event: lost` with a `count` says how many events this subscriber will never see, "
            "because it was too slow or asked for older ones than are kept; "
            "`null` when the server was started anew since.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        400: {"model": Error, "description": "The last id is not a number."},
        503: {"model": Error, "description": f"More than {SUBSCRIBER_LIMIT} subscribers."},
    },
)
async def events(
    view: Viewed,
    request: Request,
    last_event_id: LastEventIdHeader = None,
    last_event_id_query: LastEventIdQuery = None,
) -> Response:
    """Every change of a session, path or service, as it happens."""
    subscribers: Subscribers = request.app.state.subscribers
    if subscribers.open >= SUBSCRIBER_LIMIT:
        detail = f"there are {SUBSCRIBER_LIMIT} subscribers already"
        return failure(request.url.path, status=503, detail=detail, headers={"retry-after": "5"})
    after = _parse_id(last_event_id or last_event_id_query)
    return EventStream(stream(view.bus, after=after), subscribers=subscribers)


def _parse_id(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LARGEST_ID_LENGTH):
        raise BadRequest("Last-Event-ID is not a number")
    return int(text)


async def stream(bus: Bus, *, after: int | None, heartbeat: float = HEARTBEAT) -> AsyncGenerator[bytes, None]:
    """The bytes of one subscriber's stream, from the event `after` on, else from now.

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
        while True:
            for published in batch:
                if published.id > last:
                    if published.id > last + 1:
                        yield _lost(published.id - last - 1, id=published.id - 1)
                    yield _event(published)
                    last = published.id
            try:
                async with asyncio.timeout(heartbeat):
                    batch = await subscription.batch()
            except TimeoutError:
                yield b":\n\n"
                batch = []
                continue
            if not batch:
                return


def _event(published: Published) -> bytes:
    data = to_json(published.document()).decode()
    return f"id: {published.id}\nevent: {published.event.TYPE}\ndata: {data}\n\n".encode()


def _lost(count: int | None, *, id: int) -> bytes:
    data = to_json({"type": "lost", "count": count}).decode()
    return f"id: {id}\nevent: lost\ndata: {data}\n\n".encode()
