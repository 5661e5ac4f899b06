"""A path's document is made once, and never another's."""

from __future__ import annotations

import json

import pytest

from headgate.api import path_documents
from headgate.api.path_documents import PathDocuments
from headgate.core.config import PathConf


def test_it_is_made_once_for_each_configuration() -> None:
    documents = PathDocuments()
    conf = PathConf(name="a", source="rtsp://u:canary@host/x")
    document = documents.of(conf)
    assert documents.of(conf) is document
    assert b"canary" not in document
    changed = conf.model_copy(update={"max_readers": 5})
    assert json.loads(documents.of(changed))["maxReaders"] == 5
    assert json.loads(documents.of(conf))["maxReaders"] == 0


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_documents, "CAPACITY", 3)
    documents = PathDocuments()
    for number in range(10):
        assert json.loads(documents.of(PathConf(name=f"p{number}")))["name"] == f"p{number}"
        assert len(documents) <= 3
