"""How each dialect says that something went wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pydantic_core import to_json
from starlette.responses import PlainTextResponse, Response

from headgate.api.documents import applications, media, services

__all__ = [
    "APPLICATIONS",
    "MEDIA",
    "RELAY",
    "SERVICES",
    "BadRequest",
    "Unauthorised",
    "failure",
    "no_route",
    "within",
]

MEDIA = "/v3"
SERVICES = "/v1"
APPLICATIONS = "/api/v1/applications"
RELAY = ("/info", "/session", "/relay")
"""The relay's dialect has no prefix of its own in seed 000; what is ours of it has."""


WORDLESS = frozenset({401, 404, 405})


class BadRequest(Exception):
    """A parameter of the request cannot be understood; the text says which and why."""


class Unauthorised(Exception):
    """The request carries no valid credentials; `challenge` is what WWW-Authenticate says."""

    def __init__(self, detail: str, *, challenge: str) -> None:
        super().__init__(detail)
        self.challenge = challenge


def failure(path: str, *, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The error body of the dialect that `path` belongs to."""
    if any(within(path, prefix) for prefix in RELAY):
        # Plain words, or nothing where there is nothing to say: so seed 000's server does.
        return PlainTextResponse("" if status in WORDLESS else detail, status, headers)
    body: media.Error | services.Errors | applications.Failure
    if within(path, SERVICES):
        if status == 404:
            # Without a body, whatever is missing: seed 003's server does so.
            return Response(status_code=status, headers=headers)
        body = {"errors": [{"detail": detail}]}
    elif within(path, APPLICATIONS):
        body = {"status": "error", "code": status, "message": detail, "timestamp": int(time.time() * 1000)}
    else:
        body = {"error": detail}
    return Response(to_json(body), status, headers, media_type="application/json")


def no_route(path: str) -> Response:
    """No such path, or not with this method."""
    if within(path, MEDIA):
        return PlainTextResponse("404 page not found", 404)
    return failure(path, status=404, detail="no such resource")


def within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
