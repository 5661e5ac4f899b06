from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.core.config import GlobalConf


def test_attributes_are_snake_case_and_keys_the_seeds() -> None:
    conf = GlobalConf(read_timeout=1.5)
    assert conf.document()["readTimeout"] == "1.5s"
    assert GlobalConf.names()["authHTTPAddress"] == "auth_http_address"


def test_sections_are_frozen_and_strict() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GlobalConf().rtsp = False
    with pytest.raises(ValidationError, match="not permitted"):
        GlobalConf.model_validate({"rtps": True})
