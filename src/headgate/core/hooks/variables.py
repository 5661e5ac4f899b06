"""What hooks are told: environment variables with MediaMTX's names (media.md 3).

Operators put them into scripts of theirs. So what a client can choose is encoded until it is harmless in a
shell's command line too, where it can be neither a command nor an option nor another directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, unquote_plus

__all__ = [
    "encode",
    "of_connection",
    "of_path",
    "of_query",
    "of_reader",
    "of_source",
    "without_secrets",
]

SECRET_PARAMETERS = frozenset({"jwt", "token", "access_token", "accesstoken", "pass", "password"})
"""Parameters of a query that let somebody in. They do not leave the server."""


def encode(value: str) -> str:
    """A client's text as letters, digits and `_ . - ~ / %`: one percent-decoding gives it back.

    It does not begin with "-" (an option) or "~" (a home directory), and has no segment that is dots.
    """
    text = quote(value, safe="/:", errors="replace").replace(":", "%3A")
    if text[:1] in {"-", "~"}:
        text = f"%{ord(text[0]):02X}{text[1:]}"
    return "/".join(
        part.replace(".", "%2E") if part and not part.strip(".") else part for part in text.split("/")
    )


def without_secrets(query: str) -> str:
    parts = query.split("&")
    return "&".join(
        part for part in parts if unquote_plus(part.partition("=")[0]).lower() not in SECRET_PARAMETERS
    )


def of_connection(*, type: str, id: str, rtsp_port: str) -> dict[str, str]:
    return {"MTX_CONN_TYPE": type, "MTX_CONN_ID": id, "RTSP_PORT": rtsp_port}


def of_path(name: str, *, groups: Sequence[str], rtsp_port: str) -> dict[str, str]:
    """`groups`: those of the regular expression that the path is configured by."""
    numbered = {f"G{number}": encode(group) for number, group in enumerate(groups, start=1)}
    path = encode(name)
    return {"MTX_PATH": path, "RTSP_PATH": path, "RTSP_PORT": rtsp_port, **numbered}


def of_query(query: str) -> dict[str, str]:
    return {"MTX_QUERY": encode(without_secrets(query)).replace("/", "%2F")}


def of_source(*, type: str, id: str, query: str) -> dict[str, str]:
    return {**of_query(query), "MTX_SOURCE_TYPE": type, "MTX_SOURCE_ID": id}


def of_reader(*, type: str, id: str, query: str) -> dict[str, str]:
    return {**of_query(query), "MTX_READER_TYPE": type, "MTX_READER_ID": id}
