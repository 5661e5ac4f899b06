"""Which keys of the configuration run commands or call strangers, and who may set them."""

from __future__ import annotations

from headgate.core.config import Configuration

__all__ = ["is_hook", "may_set"]

PREFIX = "runOn"
OTHERS = frozenset({"webhooks", "hooksFromAPI"})


def is_hook(key: str) -> bool:
    """Whether the key, of the top level or of a path, in any spelling that is taken, is a hook's.

    `hooksFromAPI` counts as one: it could not hold anybody back otherwise.
    """
    return key.startswith(PREFIX) or key in OTHERS


def may_set(key: str, *, configuration: Configuration) -> bool:
    """Whether the control API may set this key. Who can set a hook can run anything as the server's user,
    so only the file allows it.
    """
    if key == "hooksFromAPI":
        return False
    return configuration.own.hooks_from_api or not is_hook(key)
