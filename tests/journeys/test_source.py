"""Paths that another server feeds: headgate reads there as any client would, and publishes here."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.journeys import ffmpeg, gstreamer
from tests.journeys.client import Client
from tests.journeys.clip import Clip, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage, require

OpenGate = Callable[..., AbstractContextManager[Gate]]


@pytest.fixture
def second_gate(tmp_path: Path) -> OpenGate:
    """A server whose paths are those given."""

    @contextmanager
    def open_gate(paths: dict[str, dict[str, object]], **changes: object) -> Iterator[Gate]:
        directory = tmp_path / "second"
        directory.mkdir(exist_ok=True)
        with Gate.open(directory, settings(paths=paths, **changes)) as gate:
            yield gate
            print(gate.log)

    return open_gate


def source(url: str, **conf: object) -> dict[str, object]:
    return {"source": url, **conf}


@pytest.mark.parametrize("transport", list(Transport))
def test_pulled_from_another_headgate(
    gate: Gate, second_gate: OpenGate, stage: Stage, clip: Clip, transport: Transport
) -> None:
    name = f"pulled/{transport}"
    ffmpeg.publish(stage, clip.file, gate.rtsp(name), forever=False)
    gate.events.publishes(name)
    with second_gate({"cam": source(gate.rtsp(name), rtspTransport=str(transport))}) as second:
        session = second.events.publishes("cam")
        reading = ffmpeg.read(stage, second.rtsp("cam"), transport=transport, pictures=30, sounds=30)
        reading.program.succeed()
        assert is_excerpt(reading.pictures, clip.pictures)
        assert is_excerpt(reading.sounds, clip.sounds)

        path = second.get("/v3/paths/get/cam")
        assert path["source"] == {"type": "rtspSource", "id": session["id"]}
        pulling = second.get(f"/v3/rtspsessions/get/{session['id']}")
        assert (pulling["state"], pulling["transport"]) == ("publish", transport.upper())
        assert pulling["remoteAddr"] == f"127.0.0.1:{gate.port('RTSP')}"
        assert (pulling["rtpPacketsLost"], pulling["rtpPacketsInError"]) == (0, 0)
        there = next(iter(gate.events.matching("session.changed", role="read", target=name)))
        assert there["transport"] == transport.upper()

    gate.events.closes(there["session"])


def test_pulled_from_what_gstreamer_feeds(
    gate: Gate, second_gate: OpenGate, stage: Stage, clip: Clip
) -> None:
    require("gst-launch-1.0")
    gstreamer.publish(stage, clip, gate.rtsp("pulled/gst"), transport=Transport.UDP)
    gate.events.publishes("pulled/gst")
    with second_gate({"cam": source(gate.rtsp("pulled/gst"))}) as second:
        second.events.publishes("cam")
        reading = ffmpeg.read(stage, second.rtsp("cam"), transport=Transport.TCP, pictures=20, sounds=20)
        reading.program.succeed()
        assert is_excerpt(reading.pictures, clip.pictures)


def test_udp_that_is_refused_becomes_tcp(
    tmp_path: Path, second_gate: OpenGate, stage: Stage, clip: Clip
) -> None:
    with Gate.open(tmp_path, settings(rtspTransports=["tcp"])) as first:
        ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        with second_gate({"cam": source(first.rtsp("cam"))}) as second:
            session = second.events.publishes("cam")
            assert second.get(f"/v3/rtspsessions/get/{session['id']}")["transport"] == "TCP"


def test_a_source_that_comes_back_and_one_that_is_kicked(
    gate: Gate, second_gate: OpenGate, stage: Stage, clip: Clip
) -> None:
    with second_gate({"cam": source(gate.rtsp("pulled/again"))}) as second:
        publisher = ffmpeg.publish(stage, clip.file, gate.rtsp("pulled/again"))
        before = second.events.publishes("cam")
        publisher.end()
        second.events.wait("path.notReady", path="cam")
        assert second.get("/v3/paths/get/cam")["ready"] is False
        second.events.closes(before)
        ffmpeg.publish(stage, clip.file, gate.rtsp("pulled/again"))
        after = other_session(second, before)

        assert second.http.post(f"/v3/rtspsessions/kick/{after['id']}").status_code == 200
        assert second.events.closes(after)["reason"] == "kicked by an operator"
        other_session(second, before, after)


def other_session(gate: Gate, *known: object) -> dict[str, object]:
    """Wait for one that publishes to `cam` and is none of those known."""
    seen = gate.events.wait_until(
        lambda event: (
            event["type"] == "session.changed"
            and event["role"] == "publish"
            and event["target"] == "cam"
            and event["session"] not in known
        )
    )
    session: dict[str, object] = seen["session"]
    return session


def test_a_server_that_is_gone_and_back(
    tmp_path: Path, second_gate: OpenGate, stage: Stage, clip: Clip
) -> None:
    with Gate.open(tmp_path, settings()) as first:
        port, url = first.port("RTSP"), first.rtsp("cam")
        ffmpeg.publish(stage, clip.file, url)
        first.events.publishes("cam")
        second_gate_open = second_gate({"cam": source(url)})
        second = second_gate_open.__enter__()
        before = second.events.publishes("cam")
    try:
        second.events.closes(before)
        with Gate.open(tmp_path, settings(rtspAddress=f"127.0.0.1:{port}")) as first:
            ffmpeg.publish(stage, clip.file, url)
            other_session(second, before)
    finally:
        second_gate_open.__exit__(None, None, None)


def test_fetched_only_while_somebody_reads(
    gate: Gate, second_gate: OpenGate, stage: Stage, clip: Clip
) -> None:
    ffmpeg.publish(stage, clip.file, gate.rtsp("pulled/wanted"))
    gate.events.publishes("pulled/wanted")
    conf = source(
        gate.rtsp("pulled/$G1"),
        sourceOnDemand=True,
        sourceOnDemandStartTimeout="2s",
        sourceOnDemandCloseAfter="300ms",
        rtspTransport="tcp",
    )
    with second_gate({"~^live/(.+)$": conf}) as second:
        assert gate.get("/v3/paths/get/pulled/wanted")["readers"] == []
        assert second.get("/v3/paths/list")["items"] == []

        reader = ffmpeg.watch(stage, second.rtsp("live/wanted"))
        pulling = second.events.publishes("live/wanted")
        second.events.reads("live/wanted")
        assert len(gate.get("/v3/paths/get/pulled/wanted")["readers"]) == 1
        reader.end()
        assert second.events.closes(pulling)["reason"] == "nobody reads it any more"
        second.events.wait("path.notReady", path="live/wanted")
        assert second.get("/v3/paths/list")["items"] == []

        with Client(second.port("RTSP")) as client:
            assert client.request("DESCRIBE", "live/nothing").status == 404


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    require("openssl")
    directory = tmp_path_factory.mktemp("certificate")
    key, chain = directory / "server.key", directory / "server.crt"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=camera", "-days", "1", "-keyout", key, "-out", chain),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return chain, key


def test_a_pinned_certificate(
    tmp_path: Path, second_gate: OpenGate, stage: Stage, clip: Clip, certificate: tuple[Path, Path]
) -> None:
    chain, key = certificate
    der = ssl.PEM_cert_to_DER_cert(chain.read_text())
    fingerprint = hashlib.sha256(der).hexdigest()
    encryption = {
        "rtspEncryption": "optional",
        "rtspsAddress": "127.0.0.1:0",
        "rtspServerKey": str(key),
        "rtspServerCert": str(chain),
    }
    with Gate.open(tmp_path, settings(**encryption)) as first:
        ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        url = f"rtsps://127.0.0.1:{first.port('RTSPS')}/cam"
        wrong = f"{int(fingerprint, 16) ^ 1:064x}"
        paths = {
            "right": source(url, sourceFingerprint=fingerprint.upper()),
            "wrong": source(url, sourceFingerprint=wrong),
            "unsigned": source(url),
        }
        with second_gate(paths) as second:
            second.events.publishes("right")
            assert second.get("/v3/paths/get/right")["tracks"] == ["H264", "MPEG-4 Audio"]
            for name in ("wrong", "unsigned"):
                second.says(f"path '{name}': its certificate is not to be believed")
                assert second.get(f"/v3/paths/get/{name}")["ready"] is False


def test_readers_are_sent_elsewhere(gate: Gate, second_gate: OpenGate, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, gate.rtsp("pulled/elsewhere"))
    gate.events.publishes("pulled/elsewhere")
    there = gate.rtsp("pulled/elsewhere")
    paths: dict[str, dict[str, object]] = {
        "moved": {"source": "redirect", "sourceRedirect": there},
        "empty": {"fallback": there},
        "next": {"fallback": "/moved"},
    }
    with second_gate(paths) as second:
        with Client(second.port("RTSP")) as client:
            moved, empty, following = (client.request("DESCRIBE", name) for name in paths)
        assert (moved.status, moved.headers["location"]) == (301, there)
        assert (empty.status, empty.headers["location"]) == (302, there)
        assert (following.status, following.headers["location"]) == (302, second.rtsp("moved"))
        assert second.get("/v3/paths/get/moved")["source"] == {"type": "redirect", "id": ""}
        assert len(ffmpeg.probe(second.rtsp("next"))) == 2  # by way of the other two places
        # And a source follows, too.
    with (
        second_gate({"moved": paths["moved"]}) as second,
        Gate.open(stage.directory, settings(paths={"cam": source(second.rtsp("moved"))})) as third,
    ):
        third.events.publishes("cam")


def test_no_password_is_shown(gate: Gate, second_gate: OpenGate) -> None:
    url = gate.rtsp("pulled/secret").replace("rtsp://", "rtsp://bob:s3cr3t@")
    with second_gate({"cam": source(url)}) as second:
        second.says("path 'cam': DESCRIBE was refused with 404")
        second.events.wait("session.closed", target="cam")
        assert "s3cr3t" not in second.log
        assert "s3cr3t" not in second.http.get("/v3/rtspsessions/list").text
