"""A real server, real clients, real sockets: what the journeys start from."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.clip import Clip, Codecs, make_clip, make_loud_clip
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage, require


@pytest.fixture(scope="session")
def shared_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Gate.open(tmp_path_factory.mktemp("gate"), settings()) as gate:
        yield gate


@pytest.fixture
def gate(shared_gate: Gate) -> Iterator[Gate]:
    """A server that many journeys share, each with paths of its own; none of them may end it."""
    said = len(shared_gate.log)
    yield shared_gate
    print(shared_gate.log[said:])  # shown when the journey fails
    assert shared_gate.running, shared_gate.log


@pytest.fixture(scope="module")
def tls_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    require("openssl")
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "server.key", directory / "server.crt"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", certificate),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    encryption = {
        "rtspEncryption": "optional",
        "rtspsAddress": "127.0.0.1:0",
        "rtspServerKey": str(key),
        "rtspServerCert": str(certificate),
    }
    with Gate.open(directory, settings(**encryption)) as gate:
        yield gate
        assert gate.running, gate.log


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.set_up(tmp_path) as stage:
        yield stage


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[Codecs, Clip]:
    require("ffmpeg", "ffprobe")
    directory = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        directory = directory.parent  # that of all processes: the first makes them
    with (directory / "clips.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {codecs: make_clip(codecs, directory) for codecs in Codecs}


@pytest.fixture
def clip(clips: dict[Codecs, Clip]) -> Clip:
    """For journeys to which any clip will do."""
    return clips[Codecs.H264_AAC]


@pytest.fixture(scope="session")
def loud_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("ffmpeg")
    return make_loud_clip(tmp_path_factory.mktemp("loud"))
