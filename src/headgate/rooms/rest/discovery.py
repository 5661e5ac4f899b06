"""What a client must know before it connects."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headgate.rooms.rest.answers import document
from headgate.rooms.rest.wing import Wing

__all__ = ["configuration", "endpoint"]


async def endpoint(wing: Wing, request: Request) -> Response:
    base = wing.settings.base_path.rstrip("/")
    return document({"spreed-webrtc_endpoint": wing.facts(request).address + base})


async def configuration(wing: Wing, _: Request) -> Response:
    """In the order of the old server."""
    settings = wing.settings
    modules = settings.modules
    body: dict[str, Any] = {
        "Title": settings.title,
        "S": f"static/ver={wing.hub.version}",
        "B": settings.base_path,
        "Token": wing.hub.identity.server_token,
        "Renegotiation": settings.renegotiation,
        "StunURIs": list(dict.fromkeys(settings.stun_uris)),
        "TurnURIs": list(dict.fromkeys(settings.turn_uris)),
        "Tokens": wing.codes.enabled,
        "Version": wing.hub.version,
        "UsersEnabled": settings.users.enabled,
        "UsersAllowRegistration": settings.users.allow_registration,
        "UsersMode": settings.users.mode.value,
        "DefaultRoomEnabled": settings.default_room_enabled,
        "Plugin": "",
        "AuthorizeRoomCreation": settings.authorize_room_creation,
        "AuthorizeRoomJoin": settings.authorize_room_join,
        "Modules": [name for name in type(modules).names() if getattr(modules, name)],
    }
    return document(body, charset=True)
