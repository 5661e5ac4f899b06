"""What the changes made through the API change, told to an operator line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from headgate.core.config.change import Change
from headgate.core.config.configuration import Configuration
from headgate.core.config.section import Section

__all__ = ["differences"]

SECRETS = ("auth", "webrtcICEServers", "srtReadPassphrase", "srtPublishPassphrase", "webhooks")
"""How the keys begin whose values stay out of terminals and their scrollback."""


def differences(file: Configuration, now: Configuration) -> Iterator[str]:
    """ "readTimeout: 10s -> 20s", "paths.cam1: added" """
    change = Change.between(file, now)
    yield from _keys("", file.global_, now.global_)
    yield from _keys("pathDefaults.", file.path_defaults, now.path_defaults)
    for name in sorted(change.paths):
        if name not in now.paths:
            yield f"paths.{name}: deleted"
        elif name in file.paths:
            yield from _keys(f"paths.{name}.", file.paths[name], now.paths[name])
        else:
            yield f"paths.{name}: added"
            yield from _keys(f"paths.{name}.", now.path_defaults, now.paths[name])


def _keys(prefix: str, old: Section, new: Section) -> Iterator[str]:
    before, after = (section.model_dump(mode="json", by_alias=True) for section in (old, new))
    for key, value in after.items():
        if value != before[key] and key != "name":
            yield f"{prefix}{key}: {_shown(key, before[key])} -> {_shown(key, value)}"


def _shown(key: str, value: Any) -> str:
    if key.startswith(SECRETS) or (isinstance(value, str) and "://" in value and "@" in value):
        return "…"
    return to_json(value).decode() if value != "" else "(nothing)"
