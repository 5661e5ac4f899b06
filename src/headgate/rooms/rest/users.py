"""Sessions that show who they are, and new accounts."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from headgate.rooms.participant import Participant
from headgate.rooms.rest.answers import FORM, JSON, Failure, Incomplete, document, not_found, read_fields
from headgate.rooms.rest.wing import Wing

__all__ = ["register", "show_user"]

DENIAL_DELAY = 0.25  # seconds; a guess costs the guesser time, and us nothing


async def show_user(wing: Wing, request: Request) -> Response:
    """Raises Failure."""
    if not wing.accounts.enabled:
        return not_found()
    try:
        given = await read_fields(request)
    except Incomplete:
        raise _patch_failed() from None
    public_id, sid = given.get("id", ""), given.get("sid", "")
    # Each of them is looked at, whatever another says.
    same = public_id == request.path_params["id"]
    own = bool(sid) and wing.hub.identity.matches(public_id, sid)
    userid = wing.accounts.verify(
        wing.facts(request), combo=given.get("useridcombo", ""), secret=given.get("secret", "")
    )
    participant = wing.hub.people.get(public_id)
    if not (same and own and userid) or participant is None or participant.profile.userid:
        await asyncio.sleep(DENIAL_DELAY)
        raise _patch_failed()
    nonce = wing.accounts.give_nonce(participant, userid, now=wing.hub.now())
    return document({"nonce": nonce, "userid": userid, "success": True})


def _patch_failed() -> Failure:
    """For every reason, so that it tells a stranger nothing. Anew each time: one that is raised again keeps
    what was on the stack before.
    """
    return Failure(403, "session_patch_failed", "Failed to patch session")


async def register(wing: Wing, request: Request) -> Response:
    """Raises Failure."""
    if not wing.accounts.registration:
        return not_found()
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith((JSON, FORM)):
        raise Failure(400, "users_invalid_request", "Invalid request type")
    try:
        given = await read_fields(request)
    except Incomplete:
        raise Failure(400, "users_bad_request", "Failed to parse request") from None
    participant = _session(wing, given.get("id", ""), given.get("sid", ""))
    account = wing.accounts.register()
    nonce = wing.accounts.give_nonce(participant, account.userid, now=wing.hub.now())
    return document(
        {
            "nonce": nonce,
            "userid": account.userid,
            "useridcombo": account.combo,
            "secret": account.secret,
            "timestamp": account.expires,
            "success": True,
        }
    )


def _session(wing: Wing, id: str, sid: str) -> Participant:
    """Raises Failure."""
    if not id or not sid:
        raise Failure(400, "users_bad_request", "Incomplete request")
    if not wing.hub.identity.matches(id, sid):
        raise Failure(403, "users_invalid_session", "Invalid session")
    participant = wing.hub.people.get(id)
    if participant is None:
        raise Failure(400, "users_request_failed", 'Error: "no such session"')
    if participant.profile.userid:
        raise Failure(400, "users_request_failed", 'Error: "session is authenticated already"')
    return participant
