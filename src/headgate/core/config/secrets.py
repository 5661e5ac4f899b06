"""What of a configuration, or of a client's URL, nobody may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["REDACTED", "redacted", "redacted_query", "redacted_url", "restored"]

REDACTED = "<redacted>"
"""Stands where a secret is. Written back, it means: as it was."""

SECRET_KEYS = frozenset(
    {"pass", "password", "srtReadPassphrase", "srtPublishPassphrase", "accessToken", "secret"}
)
"""Keys whose whole value is a secret, wherever they stand."""
NAMES = ("user", "url", "username", "name")
"""Keys by which the members of a list are told apart."""
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


def restored(document: Any, current: Any, *, key: str = "") -> Any:
    """A document that may have been read from us, with what was redacted put back from the current one.

    Raises ValueError, naming the key, where a placeholder stands for nothing.
    """
    if isinstance(document, Mapping):
        known = current if isinstance(current, Mapping) else {}
        return {name: restored(value, known.get(name), key=name) for name, value in document.items()}
    if isinstance(document, list | tuple):
        known_items = current if isinstance(current, list | tuple) else []
        return [
            restored(item, _same(item, known_items, position=position), key=key)
            for position, item in enumerate(document)
        ]
    if isinstance(document, str) and REDACTED in document:
        if not isinstance(current, str) or redacted(current, key=key) != document:
            raise ValueError(f"{key or 'value'}: {REDACTED} stands for a secret that is not there")
        return current
    return document


def _same(item: Any, among: list[Any] | tuple[Any, ...], *, position: int) -> Any:
    """The member of a list that another version of it is about: of the same name, best at the same place."""
    here = among[position] if position < len(among) else None
    if not isinstance(item, Mapping):
        return here
    names = [redacted(item.get(name)) for name in NAMES]
    alike = [
        known
        for known in among
        if isinstance(known, Mapping) and [redacted(known.get(name)) for name in NAMES] == names
    ]
    return here if any(known is here for known in alike) else next(iter(alike), None)
