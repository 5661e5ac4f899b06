from __future__ import annotations

import dataclasses

import pytest

from headgate.core.config import Configuration, GlobalConf, OwnConf, PathConf
from headgate.core.config.former_keys import FORMER_PATH
from headgate.core.hooks.keys import is_hook, may_set

CLOSED = Configuration.default()
OPEN = dataclasses.replace(CLOSED, own=OwnConf(hooks_from_api=True))


def test_every_spelling_of_a_hook_is_known() -> None:
    keys = {*GlobalConf.names(), *PathConf.names(), *OwnConf.names(), *FORMER_PATH}
    assert {key for key in keys if "run" in key.lower()} <= {key for key in keys if is_hook(key)}
    assert not is_hook("source")


@pytest.mark.parametrize("key", ["runOnConnect", "runOnReadyRestart", "runOnDemandCloseAfter", "webhooks"])
def test_only_the_file_lets_the_api_set_hooks(key: str) -> None:
    assert not may_set(key, configuration=CLOSED)
    assert may_set(key, configuration=OPEN)
    assert may_set("maxReaders", configuration=CLOSED)


def test_the_api_never_lets_itself() -> None:
    assert not may_set("hooksFromAPI", configuration=CLOSED)
    assert not may_set("hooksFromAPI", configuration=OPEN)
