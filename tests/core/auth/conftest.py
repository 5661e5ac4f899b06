"""An `Access` with some configuration, whose clock the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.auth import Access, Action, Request
from headgate.core.config import GlobalConf


class Gate:
    def __init__(self) -> None:
        self.now = 1000.0
        self.settings = GlobalConf()
        self.access = Access(lambda: self.settings, now=lambda: self.now)

    def configure(self, **changes: Any) -> None:
        self.settings = GlobalConf.model_validate(changes)

    async def ask(self, request: Request) -> Any:
        """The grant. Raises Denied."""
        return self.access.known(request) or await self.access.check(request)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    async with gate.access:
        yield gate


def request_to(action: str = "read", path: str = "cam", **given: Any) -> Request:
    return Request(**{"action": Action(action), "path": path, "ip": "192.0.2.1", "protocol": "rtsp", **given})
