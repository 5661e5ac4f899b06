"""Another server's word about users that are not ours (`turn.authHTTPAddress`).

    POST {"action": "relay", "user": …, "realm": …, "ip": …, "protocol": "turn"}
    200  {"password": …, "expires": Unix time or null}      it knows the user
    404, 403, 401                                            it does not

TURN never sends a password, so the other server has to say it. HTTPS, or the same machine, is advised.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from headgate.core.auth.circuit import Circuit
from headgate.core.auth.outbound import Outbound
from headgate.core.errors import Unavailable
from headgate.turn.credentials import Remembered
from headgate.turn.opaque_string import opaque_string

__all__ = ["Enquiry"]

logger = logging.getLogger(__name__)

KNOWN = 60.0
"""Seconds that a password is believed. A session asks again with its next request after that."""
LATEST = 1e12
"""Unix time, in the year 33658."""
UNKNOWN = 5.0
"""Seconds in which somebody unknown is not asked about again."""


class Enquiry:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._circuit = Circuit(now=time.monotonic)

    async def ask(self, url: str, *, name: str, realm: str, client: str) -> Remembered | None:
        """None: there is no word to be had now."""
        if not self._circuit.admits():
            return None
        document = {"action": "relay", "user": name, "realm": realm, "ip": client, "protocol": "turn"}
        try:
            status, body = await self._outbound.post_for(url, document)
        except Unavailable:
            self._circuit.failed()
            return None
        if status >= 500:
            self._circuit.failed()
            logger.warning("the server that knows users answered %d", status)
            return None
        self._circuit.succeeded()
        now = time.monotonic()
        if status != 200:
            return Remembered(None, None, now + UNKNOWN)
        try:
            password, expires = _read(json.loads(body))
        except (ValueError, RecursionError):
            logger.warning("the server that knows users answered what cannot be read")
            return Remembered(None, None, now + UNKNOWN)
        return Remembered(password, expires, now + KNOWN)


def _read(document: Any) -> tuple[str, float | None]:
    """Raises ValueError."""
    if isinstance(document, dict):
        password, expires = document.get("password"), document.get("expires")
        if isinstance(password, str) and (expires is None or _is_time(expires)):
            return opaque_string(password), float(expires) if expires is not None else None
    raise ValueError("no object with a password")


def _is_time(expires: object) -> bool:
    # JSON has numbers that no clock will ever show, and Python's reader takes NaN and Infinity as well.
    return isinstance(expires, int | float) and not isinstance(expires, bool) and abs(expires) < LATEST
