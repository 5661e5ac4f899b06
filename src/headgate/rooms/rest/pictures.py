"""Buddy pictures, as pictures and nothing else."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response

from headgate.rooms.pictures import SIZE, SMALLEST, Picture, resized
from headgate.rooms.rest.answers import not_found
from headgate.rooms.rest.wing import Wing

__all__ = ["picture"]

FLAGS = re.compile(r"s([0-9]{1,4})")
AGE = 86_400  # seconds


async def picture(wing: Wing, request: Request) -> Response:
    """Whatever follows the image's name: the old URL of a changed picture shows the new one."""
    found = wing.hub.pictures.get(request.path_params["image"])
    flags = FLAGS.fullmatch(request.path_params["flags"])
    if found is None or flags is None or int(flags[1]) < SMALLEST:
        return not_found("Unknown image")
    size = min(int(flags[1]), SIZE)
    etag = f'"{found.change}-{size}"'
    headers = {
        "etag": etag,
        "last-modified": format_datetime(found.made, usegmt=True),
        "cache-control": f"public, no-transform, max-age={AGE}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    if _is_known(request, found, etag):
        return Response(status_code=304, headers=headers)
    data = await asyncio.to_thread(resized, found, size)
    return Response(data, headers=headers, media_type=found.content_type)


def _is_known(request: Request, found: Picture, etag: str) -> bool:
    given = request.headers.get("if-none-match")
    if given is not None:
        return etag in (tag.strip() for tag in given.split(","))
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        moment: datetime = parsedate_to_datetime(since)
        return found.made.replace(microsecond=0) <= moment
    except (ValueError, TypeError):
        return False
