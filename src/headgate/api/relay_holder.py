"""Whom a credential of the relay is made for.

An operator names anybody. Whoever may only use the relay (the action `relay`, by whatever `authMethod`) gets
one of their own, for no longer than what they showed lasts: so a JWT, which TURN cannot carry, opens it too.
"""

from __future__ import annotations

import time
from dataclasses import replace

from headgate.api.entrance import Admitted
from headgate.core.auth import Access, Action, Request
from headgate.core.errors import Denied, Unavailable

__all__ = ["holder"]


async def holder(access: Access, admitted: Admitted, *, user: str, ttl: int) -> tuple[str, int]:
    """The name and the seconds that may be had, of those that are wished. Raises Denied."""
    if admitted.request is None or await _operates(access, admitted.request):
        return user, ttl
    own = admitted.grant.user or admitted.request.ip  # quotas count for somebody in any case
    if user not in {"", own}:
        raise Denied
    if admitted.grant.expires is not None:
        ttl = min(ttl, int(admitted.grant.expires - time.time()))
    if ttl < 1:
        raise Denied
    return own, ttl


async def _operates(access: Access, request: Request) -> bool:
    try:
        await access.judge_again(replace(request, action=Action.API))
    except Unavailable:
        raise
    except Denied:
        return False
    return True
