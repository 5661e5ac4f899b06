"""What the REST API looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from headgate.core.auth.throttle import Throttle
from headgate.core.config.rooms_conf import RoomsConf
from headgate.rooms.accounts import Accounts
from headgate.rooms.facts import Facts
from headgate.rooms.hub import Hub
from headgate.rooms.rest.codes import Codes

__all__ = ["Wing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wing:
    """Made anew when the configuration changes."""

    hub: Hub
    accounts: Accounts
    codes: Codes
    guesses: Throttle
    """Codes that were wrong, by address; the same one when the configuration changes."""
    started: datetime

    @property
    def settings(self) -> RoomsConf:
        return self.hub.settings

    def facts(self, request: Request) -> Facts:
        return Facts.of(request.scope, self.settings)
