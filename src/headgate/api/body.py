"""The JSON object in a request's body, read as MediaMTX reads it, and bounded."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.requests import Request

from headgate.api.failure import BadRequest

__all__ = ["read_object"]

SIZE_LIMIT = 1 << 20  # bytes; as for the file
KINDS = {list: "array", str: "string", int: "number", float: "number", bool: "bool"}


async def read_object(request: Request) -> dict[str, Any]:
    """Whatever the content type. What follows the object is not looked at; null is an empty object.

    Raises BadRequest.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > SIZE_LIMIT:
            raise BadRequest(f"the request's body is larger than {SIZE_LIMIT >> 20} MiB")
    try:
        text = content.decode().lstrip(" \t\r\n")
    except UnicodeDecodeError:
        raise BadRequest("the request's body is not UTF-8 text") from None
    if not text:
        raise BadRequest("EOF")
    try:
        value, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except json.JSONDecodeError as error:
        end = error.pos >= len(text.rstrip())
        raise BadRequest("unexpected EOF" if end else f"not JSON: {error.msg}, at {error.pos}") from None
    except (ValueError, RecursionError):
        raise BadRequest("not JSON that makes sense here") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {KINDS[type(value)]} into an object")
    _check_texts(value)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _check_texts(value: Any) -> None:
    """Half a character, or NUL, can be written in JSON and nowhere else."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
    elif isinstance(value, str) and ("\0" in value or not _is_whole(value)):
        raise BadRequest("a text has characters that are not allowed")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
