"""Numbers, for who has switched them on."""

from __future__ import annotations

import asyncio
import gc
import resource
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headgate.rooms.rest.answers import document, not_found
from headgate.rooms.rest.wing import Wing

__all__ = ["stats"]

DETAILS_LIMIT = 5000  # sessions in one answer


async def stats(wing: Wing, request: Request) -> Response:
    """Keys as the old server has them, and as its document."""
    if not wing.settings.stats:
        return not_found()
    runtime, hub = _runtime(), _hub(wing)
    if request.query_params.get("details") == "1":
        hub |= _details(wing)
    answer = document({"runtime": runtime, "hub": hub, "Runtime": runtime, "Hub": hub}, charset=True)
    answer.headers["access-control-allow-origin"] = "*"
    return answer


def _runtime() -> dict[str, int]:
    """What the words mean of this program: tasks, collections of garbage, and bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    resident = usage.ru_maxrss * 1024
    collections = gc.get_stats()
    return {
        "goroutines": len(asyncio.all_tasks()),
        "alloc": resident,
        "mallocs": sum(one["collections"] for one in collections),
        "frees": sum(one["collected"] for one in collections),
        "pauses": 0,
        "heap": resident,
        "stack": threading.active_count(),
    }


def _hub(wing: Wing) -> dict[str, Any]:
    hub = wing.hub
    return {
        "rooms": len(hub.rooms),
        "connections": len(hub.people),
        "sessions": len(hub.people),
        "users": len(hub.users),
        "count": hub.counts.connections,
        "broadcastchatmessages": hub.counts.broadcast_chats,
        "unicastchatmessages": hub.counts.unicast_chats,
    }


def _details(wing: Wing) -> dict[str, Any]:
    """What the old server meant, also where it forgot to fill it in. No secret is among it."""
    people = dict(list(wing.hub.people.items())[:DETAILS_LIMIT])
    rooms = list(wing.hub.rooms)[:DETAILS_LIMIT]
    users = list(wing.hub.users.items())[:DETAILS_LIMIT]
    return {
        "sessionsbyid": {
            public_id: one.profile.document(public_id, kind="") for public_id, one in people.items()
        },
        "connectionsbyidx": {str(one.id.number): public_id for public_id, one in people.items()},
        "idsinroom": {room.id: list(room.members)[:DETAILS_LIMIT] for room in rooms},
        "usersbyid": {userid: {"Id": userid, "Sessions": len(sessions)} for userid, sessions in users},
    }
