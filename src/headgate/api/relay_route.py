"""What every answer of the relay's dialect has in common."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from headgate.api.failure import BadRequest, failure
from headgate.api.view import View, Viewed
from headgate.core.errors import Denied, HeadgateError, NotFound, Refused
from headgate.core.relay import Relay

__all__ = ["Ambiguous", "RelayRoute", "Relayed", "answer", "answered"]

NONCE = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))
"""Another one after every start: who sees it change asks for everything anew."""
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (BadRequest, 400),
    (Denied, 403),
    (NotFound, 404),
    (Refused, 409),
)


class Ambiguous(Refused):
    """What was asked for is more than one session."""


class RelayRoute(APIRoute):
    """Answers errors in the dialect's words, and tells whose relay it is in `Realm` and `Nonce`.

    Seed 000's server did the latter before 3.4, and clients of it look there for a restart.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await handle(request)
            except (BadRequest, HeadgateError) as error:
                status = next((status for kind, status in STATUS if isinstance(error, kind)), 400)
                response = failure(request.url.path, status=status, detail=str(error))
            view: View = request.app.state.view
            if view.relay is not None:
                # A header has bytes; a realm may have any character.
                response.headers["realm"] = view.relay.realm.encode().decode("latin-1")
            response.headers["nonce"] = NONCE
            return response

        return handler


async def _relayed(view: Viewed) -> Relay:
    if view.relay is None:
        raise NotFound("there is no relay")
    return view.relay


Relayed = Annotated[Relay, Depends(_relayed)]
"""A route's parameter of this type is the relay; without one the answer is 404."""


def answer(body: object, *, headers: dict[str, str] | None = None) -> Response:
    return answered(to_json(body), headers=headers)


def answered(text: bytes, *, headers: dict[str, str] | None = None) -> Response:
    """With what is JSON already."""
    return Response(text, media_type="application/json", headers=headers)
