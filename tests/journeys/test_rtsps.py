"""RTSP over TLS: the same journey, in the services and lists of its own."""

from __future__ import annotations

import re
import signal
import socket
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509

from tests.core.authority import Authority
from tests.journeys import ffmpeg
from tests.journeys.client import Client
from tests.journeys.clip import Clip, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import READ_TIMEOUT, Gate, settings
from tests.journeys.program import Stage


def test_published_and_read_over_tls(tls_gate: Gate, stage: Stage, clip: Clip) -> None:
    url = f"rtsps://127.0.0.1:{tls_gate.port('RTSPS')}/tls/cam"
    ffmpeg.publish(stage, clip.file, url, forever=False)
    publisher = tls_gate.events.publishes("tls/cam")

    encrypted = ffmpeg.read(stage, url, transport=Transport.TCP, pictures=30, sounds=30, name="tls")
    plain = ffmpeg.read(
        stage, tls_gate.rtsp("tls/cam"), transport=Transport.UDP, pictures=30, sounds=30, name="plain"
    )

    for reading in (encrypted, plain):
        reading.program.succeed()
        assert is_excerpt(reading.pictures, clip.pictures)
        assert is_excerpt(reading.sounds, clip.sounds)
    assert tls_gate.get(f"/v3/rtspssessions/get/{publisher['id']}")["state"] == "publish"
    assert tls_gate.status(f"/v3/rtspsessions/get/{publisher['id']}") == 404
    assert tls_gate.get("/v3/paths/get/tls/cam")["source"] == {"type": "rtspsSession", "id": publisher["id"]}
    session = tls_gate.get(f"/v1/sessions/{publisher['number']}")["data"]
    assert session["relationships"]["services"]["data"] == [{"id": "RTSPS", "type": "services"}]
    assert tls_gate.http.post(f"/v3/rtspssessions/kick/{publisher['id']}").is_success
    tls_gate.events.wait("path.notReady", path="tls/cam")


def test_a_kick_over_tls_ends_the_client(tls_gate: Gate, stage: Stage, clip: Clip) -> None:
    publishing = ffmpeg.publish(stage, clip.file, f"rtsps://127.0.0.1:{tls_gate.port('RTSPS')}/tls/kicked")
    publisher = tls_gate.events.publishes("tls/kicked")
    assert tls_gate.http.delete(f"/v1/sessions/{publisher['number']}").status_code == 204
    publishing.wait()


@pytest.mark.parametrize(
    "hello", [b"", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 200]
)
def test_who_does_not_speak_tls_is_closed(tls_gate: Gate, hello: bytes) -> None:
    with Client(tls_gate.port("RTSPS")) as client:
        client.send(hello)
        assert client.closed_by_server(timeout=READ_TIMEOUT + 2)


def test_without_encryption_its_lists_are_not_there(gate: Gate) -> None:
    answer = gate.http.get("/v3/rtspssessions/list")
    assert (answer.status_code, answer.text) == (404, "404 page not found")


@pytest.mark.parametrize("encryption", ["optional", "strict"])
def test_a_certificate_is_renewed_under_those_who_publish_and_read(
    tmp_path: Path, stage: Stage, clip: Clip, encryption: str
) -> None:
    directory = tmp_path / "tls"
    directory.mkdir()
    authority = Authority()
    authority.issue().write(directory)
    certificate = {
        "rtspEncryption": encryption,
        "rtspsAddress": "127.0.0.1:0",
        "rtspTransports": ["tcp"],
        "rtspServerKey": str(directory / "server.key"),
        "rtspServerCert": str(directory / "server.crt"),
    }
    with Gate.open(tmp_path, settings(**certificate)) as gate:
        url = f"rtsps://127.0.0.1:{gate.port('RTSPS')}/cam"
        publishing = ffmpeg.publish(stage, clip.file, url)
        gate.events.publishes("cam")
        watching = ffmpeg.watch(stage, url, transport=Transport.TCP)
        gate.events.wait("session.changed", role="read", target="cam")

        new = authority.issue()
        new.replace(directory)
        renewed = gate.events.wait("certificate.renewed", service="RTSPS")
        assert shown(gate, authority) == new.serial
        (directory / "server.crt").write_bytes(authority.issue().chain)
        gate.process.send_signal(signal.SIGHUP)  # does not wait for it to come to rest
        refused = gate.events.wait("certificate.refused", service="RTSPS")
        assert "rtspServerCert" in refused["mistake"]
        assert shown(gate, authority) == new.serial

        reading = ffmpeg.read(stage, url, transport=Transport.TCP, pictures=25, sounds=10, name="late")
        reading.program.succeed()
        assert publishing.running
        assert watching.running
        metrics = gate.http.get("/metrics").text
        assert 'headgate_certificate_renewals_total{service="RTSPS"} 1\n' in metrics
        end = datetime.fromisoformat(renewed["not_after"]).timestamp()
        assert f'headgate_certificate_not_after_timestamp_seconds{{service="RTSPS"}} {end}\n' in metrics
        relayed = re.search(r"^headgate_relay_latency_seconds_count (\d+)$", metrics, re.MULTILINE)
        assert relayed is not None
        assert int(relayed[1]) > 25


def shown(gate: Gate, authority: Authority) -> int:
    """The serial number of the certificate that a client is shown, which believes this authority alone."""
    address = ("127.0.0.1", gate.port("RTSPS"))
    with (
        socket.create_connection(address, timeout=READ_TIMEOUT) as plain,
        authority.context().wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        der = encrypted.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number
