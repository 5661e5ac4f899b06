"""Who may open a WebSocket, and the WebSockets that are open."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import Scope

from headgate.core.errors import Draining, Refused
from headgate.core.service import Endpoint
from headgate.rooms.accounts import Accounts
from headgate.rooms.facts import Facts
from headgate.rooms.hub import Hub
from headgate.rooms.participant import Arrival
from headgate.rooms.socket import Socket
from headgate.rooms.websocket.handshake import BadHandshake, accept

__all__ = ["REFUSAL", "RoomsDoor", "Turned"]

REFUSAL = "refusal"
"""Where a request's state says why it was turned away."""
AGENT_LIMIT = 256  # characters
FIELDS_LIMIT = 16  # of the query


class Turned(NamedTuple):
    """Away."""

    status: int
    text: str


class Admission(NamedTuple):
    answer: bytes
    arrival: Arrival


class RoomsDoor:
    def __init__(self, hub: Hub, accounts: Accounts) -> None:
        self.hub = hub
        self.accounts = accounts
        self.turned_away = 0
        """Since the start."""
        self._sockets: set[Socket] = set()

    def __len__(self) -> int:
        """WebSockets open now."""
        return len(self._sockets)

    def admits(self, scope: Scope) -> bool:
        settings = self.hub.settings
        if scope["path"] != f"{settings.base_path}ws" or scope["method"] != "GET":
            return False
        facts = Facts.of(scope, settings)
        try:
            answer = accept(facts.headers)
            if not facts.may_connect(settings.allowed_origins):
                return self._turn_away(scope, 403, "this site may not connect (rooms.allowedOrigins)")
            arrival = self._arrival(scope, facts)
            self.hub.check(arrival)
        except BadHandshake as error:
            return self._turn_away(scope, error.status, str(error))
        except (Draining, Refused) as error:
            return self._turn_away(scope, 503, str(error))
        scope["state"]["admission"] = Admission(answer, arrival)
        return True

    def take(self, transport: asyncio.Transport, scope: Scope, *, early: bytes) -> None:
        admission: Admission = scope["state"]["admission"]
        socket = Socket(self.hub, transport, loop=asyncio.get_running_loop(), gone=self._sockets.discard)
        self._sockets.add(socket)
        transport.set_protocol(socket)
        transport.write(admission.answer)
        socket.begin(admission.arrival)
        if early:
            socket.data_received(early)

    def _turn_away(self, scope: Scope, status: int, text: str) -> bool:
        self.turned_away += 1
        scope["state"][REFUSAL] = Turned(status, text)
        return False

    def _arrival(self, scope: Scope, facts: Facts) -> Arrival:
        """Raises BadHandshake."""
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=FIELDS_LIMIT)
        except ValueError:
            raise BadHandshake(400, "Bad Request") from None
        seen = query.get("seen", [""])[0]
        return Arrival(
            remote=Endpoint(facts.client, facts.port),
            local=facts.local,
            host=facts.hostname,
            user_agent=facts.headers.get("user-agent", "")[:AGENT_LIMIT],
            token=query.get("t", [""])[0],
            seen=int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 16 else None,
            userid=self.accounts.at_connection(facts),
        )
