"""A whole server in the test's own event loop, on ports of the system's choice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from headgate.core.config import Applications, Configuration, GlobalConf, OwnConf, PathConf
from headgate.server import Server

Open = Callable[..., AbstractAsyncContextManager[Server]]


def configuration(*, paths: dict[str, dict[str, object]] | None = None, **changes: object) -> Configuration:
    """`paths` and `changes` by attribute name; without `paths`, anybody may publish anywhere."""
    own = {name: changes.pop(name) for name in OwnConf.model_fields if name in changes}
    own.setdefault("rooms", {"address": ""})
    own.setdefault("turn", {"interfaces": []})
    settings = {
        "api": False,
        "rtsp_address": "127.0.0.1:0",
        "rtp_address": "127.0.0.1:0",
        "rtcp_address": "127.0.0.1:0",
        **changes,
    }
    named = {"all_others": {}} if paths is None else paths
    return Configuration(
        global_=GlobalConf.model_validate(settings),
        path_defaults=PathConf(),
        paths={name: PathConf.model_validate({"name": name, **conf}) for name, conf in named.items()},
        applications=Applications(),
        own=OwnConf.model_validate(own),
    )


@pytest.fixture
def open_server() -> Open:
    """A server with some configuration; enter it."""
    return lambda **changes: Server(configuration(**changes))
