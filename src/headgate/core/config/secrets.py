"""What of a configuration, or of a client's URL, nobody may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["REDACTED", "redacted", "redacted_query", "redacted_url"]

REDACTED = "<redacted>"
"""Stands where a secret is. Written back, it means: as it was."""

SECRET_KEYS = frozenset(
    {"pass", "password", "srtReadPassphrase", "srtPublishPassphrase", "accessToken", "secret", "authSecrets"}
)
"""Keys whose whole value is a secret, wherever they stand."""
SECRET_FIELD = re.compile(
    r"(?P<name>(?:^|(?<=[?&;]))(?:jwt|token|access_?token|pass|password|passphrase|pwd|secret|sig|signature"
    r"|key|api_?key|auth)=)[^&;#]*",
    re.IGNORECASE,
)
"""Fields of a query that are secrets by what people call them."""
USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#]*@")


def redacted_query(query: str) -> str:
    """The rest is left as it was, byte for byte."""
    return SECRET_FIELD.sub(lambda match: match["name"] + REDACTED, query) if "=" in query else query


def redacted_url(url: str) -> str:
    """Without user and password, and without the secrets of its query."""
    path, mark, query = USERINFO.sub(rf"\g<scheme>{REDACTED}@", url).partition("?")
    return path + mark + redacted_query(query)


def redacted(document: Any, *, key: str = "") -> Any:
    """A JSON document of the configuration as it may be shown; the given one stays as it is.

    An empty secret is shown as such: it keeps nothing.
    """
    if isinstance(document, Mapping):
        return {name: redacted(value, key=name) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [redacted(value, key=key) for value in document]
    if isinstance(document, str) and document:
        if key in SECRET_KEYS:
            return REDACTED
        if "://" in document:
            return redacted_url(document)
    return document
