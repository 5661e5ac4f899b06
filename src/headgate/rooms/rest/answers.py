"""The forms of answers, and what is read of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

__all__ = ["Failure", "Incomplete", "document", "failure", "not_found", "read_body", "read_fields"]

BODY_LIMIT = 16_384  # bytes; an account's proof has some hundred
BODY_TIMEOUT = 10.0  # seconds; as for the head
FIELD_LIMIT = 16
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Failure(Exception):
    """Answered in the old server's form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Incomplete(Exception):
    """The body is too large, or cannot be understood."""


def document(body: Mapping[str, Any], *, status: int = 200, charset: bool = False) -> Response:
    """Indented by two spaces, as ever."""
    media = f"{JSON}; charset=utf-8" if charset else JSON
    return Response(to_json(body, indent=2) + b"\n", status, media_type=media)


def failure(error: Failure) -> Response:
    return document({"code": error.code, "message": str(error), "success": False}, status=error.status)


def not_found(text: str = "404 page not found") -> Response:
    return PlainTextResponse(text + "\n", 404, {"x-content-type-options": "nosniff"})


async def read_body(request: Request) -> bytes:
    """Raises Incomplete."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT:
                    raise Incomplete
    except TimeoutError:
        raise Incomplete from None
    return bytes(body)


async def read_fields(request: Request) -> dict[str, str]:
    """The texts of a JSON object, or of a form and the query, by name. Raises Incomplete."""
    body = await read_body(request)
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(JSON):
        try:
            value = from_json(body, allow_inf_nan=False)
        except ValueError:
            raise Incomplete from None
        if not isinstance(value, dict):
            raise Incomplete
        return {key.lower(): text for key, text in value.items() if isinstance(text, str)}
    try:
        form = body.decode("ascii") if kind.startswith(FORM) else ""
        query = request.scope["query_string"].decode("ascii")
        given = parse_qs(f"{form}&{query}", keep_blank_values=True, max_num_fields=FIELD_LIMIT)
    except ValueError:
        raise Incomplete from None
    return {key: values[0] for key, values in given.items()}
