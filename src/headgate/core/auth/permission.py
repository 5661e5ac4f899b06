"""Whether a list of permissions covers what is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.core.auth.request import Action, Request
from headgate.core.config.path_names import PathPattern
from headgate.core.config.users import AuthInternalUserPermission

__all__ = ["permits"]

INCLUDED = {Action.API: frozenset({Action.RELAY})}
"""What else an action allows: an operator makes credentials for anybody."""
OF_PATHS = frozenset({Action.PUBLISH, Action.READ, Action.PLAYBACK})


def permits(permissions: Iterable[AuthInternalUserPermission], request: Request) -> bool:
    return any(
        (permission.action is request.action or request.action in INCLUDED.get(permission.action, ()))
        and (request.action not in OF_PATHS or _covers(permission.path, request.path))
        for permission in permissions
    )


def _covers(pattern: str, path: str) -> bool:
    if not pattern:
        return True
    if pattern.startswith("~"):
        compiled = PathPattern.compile(pattern)
        return compiled is not None and compiled.match(path) is not None
    return pattern == path
