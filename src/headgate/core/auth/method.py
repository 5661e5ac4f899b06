"""What each `authMethod` can do."""

from __future__ import annotations

from typing import Protocol

from headgate.core.auth.grant import Grant
from headgate.core.auth.request import Request

__all__ = ["Method"]


class Method(Protocol):
    """One way to decide. Made for one configuration of it."""

    def open_to(self, request: Request) -> Grant | None:
        """A grant that needs no credentials, and costs nothing to give."""

    def known(self, request: Request) -> Grant | None:
        """The answer, where it is at hand; None: `check` has to find out. Raises Denied."""

    async def check(self, request: Request) -> Grant:
        """Raises Denied."""

    def login(self, request: Request) -> str | None:
        """The name under which failures are counted; None where there is nothing that could be guessed."""
