"""Codes that let people in, and random names of rooms."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from headgate.rooms.identity import random_name
from headgate.rooms.rest.answers import Failure, document, read_fields
from headgate.rooms.rest.codes import CODE_LIMIT
from headgate.rooms.rest.wing import Wing

__all__ = ["name_room", "validate_code"]

ANY_CODE = ""
"""Guesses are at all codes at once, so they count by address alone."""


async def validate_code(wing: Wing, request: Request) -> Response:
    """Raises Failure, Incomplete.

    A right code does not begin anew, as a password does: whoever has one could guess those of others.
    """
    code = (await read_fields(request)).get("a", "")
    if len(code.encode()) > CODE_LIMIT:
        raise Failure(413, "auth_too_large", "Auth too large")
    ip = wing.facts(request).client
    if not code or wing.guesses.blocks(ip=ip, user=ANY_CODE):
        raise _invalid()
    wing.guesses.failed(ip=ip, user=ANY_CODE)  # many at once are no way around the limit
    valid = await asyncio.to_thread(wing.codes.valid, code)
    if valid is None:
        raise _invalid()
    wing.guesses.withdrawn(ip=ip, user=ANY_CODE)
    return document({"token": valid, "success": True})


def _invalid() -> Failure:
    """Of a wrong code, and of one that was not looked at, so that it tells a stranger nothing."""
    return Failure(403, "invalid_token", "Invalid token")


async def name_room(wing: Wing, request: Request) -> Response:
    """Whether somebody is there already is not looked at: with 65 random bits nobody is."""
    name = random_name()
    url = f"{wing.facts(request).address}{wing.settings.base_path}{name}"
    return document({"success": True, "name": name, "url": url})
