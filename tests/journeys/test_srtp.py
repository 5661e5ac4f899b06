"""SRTP: GStreamer encrypts what it sends and decrypts what it gets, and so does a headgate that pulls."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.engine import SrtpSuite
from headgate.media.rtsp.key_mgmt import Keyring, key_mgmt_attribute
from tests.journeys import ffmpeg, gstreamer
from tests.journeys.client import Client
from tests.journeys.clip import Clip, Codecs, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage, require

PICTURES = 40
ANY_CERTIFICATE = "tls-validation-flags=0"
SRTP = ("profiles=savp", ANY_CERTIFICATE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Chain and key."""
    require("openssl", "gst-launch-1.0")
    directory = tmp_path_factory.mktemp("certificate")
    key, chain = directory / "server.key", directory / "server.crt"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", chain),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return chain, key


@pytest.fixture(scope="module")
def srtp_gate(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Gate]:
    chain, key = certificate
    encryption = {
        "rtspEncryption": "optional",
        "rtspsAddress": "127.0.0.1:0",
        "rtspServerKey": str(key),
        "rtspServerCert": str(chain),
    }
    with Gate.open(tmp_path_factory.mktemp("srtp"), settings(**encryption)) as gate:
        yield gate
        assert gate.running, gate.log


def rtsps(gate: Gate, path: str) -> str:
    return f"rtsps://127.0.0.1:{gate.port('RTSPS')}/{path}"


@pytest.mark.parametrize("codecs", Codecs)
def test_gstreamer_publishes_and_reads_srtp_over_udp(
    srtp_gate: Gate, stage: Stage, clips: dict[Codecs, Clip], codecs: Codecs
) -> None:
    clip, path = clips[codecs], f"srtp/{codecs.name}".lower()
    url = rtsps(srtp_gate, path)
    publishing = gstreamer.publish(stage, clip, url, transport=Transport.UDP, options=SRTP)
    publisher = srtp_gate.events.publishes(path)

    program, file = gstreamer.read(
        stage, clip, url, transport=Transport.UDP, count=PICTURES, options=(ANY_CERTIFICATE,)
    )
    reader = srtp_gate.events.reads(path)
    assert srtp_gate.get(f"/v3/rtspssessions/get/{reader['id']}")["transport"] == "UDP"
    plain = ffmpeg.read(
        stage, srtp_gate.rtsp(path), transport=Transport.UDP, pictures=PICTURES, sounds=PICTURES
    )
    gstreamer.succeed(program)
    seen = gstreamer.pictures(file)
    assert len(seen) >= PICTURES
    assert is_excerpt(seen, clip.pictures)
    plain.program.succeed()
    assert is_excerpt(plain.pictures, clip.pictures)
    assert is_excerpt(plain.sounds, clip.sounds)

    def session() -> dict[str, Any]:
        found: dict[str, Any] = srtp_gate.get(f"/v3/rtspssessions/get/{publisher['id']}")
        return found

    publishing.until(lambda: session()["rtcpPacketsReceived"] > 0)
    publishes = session()
    assert (publishes["state"], publishes["transport"]) == ("publish", "UDP")
    assert publishes["rtpPacketsInError"] == publishes["rtcpPacketsInError"] == 0
    srtp_gate.events.closes(reader)


def test_gstreamer_reads_srtp_over_tcp(srtp_gate: Gate, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, srtp_gate.rtsp("srtp/tcp"))
    srtp_gate.events.publishes("srtp/tcp")
    url = rtsps(srtp_gate, "srtp/tcp")
    program, file = gstreamer.read(
        stage, clip, url, transport=Transport.TCP, count=PICTURES, options=(ANY_CERTIFICATE,)
    )
    gstreamer.succeed(program)
    seen = gstreamer.pictures(file)
    assert len(seen) >= PICTURES
    assert is_excerpt(seen, clip.pictures)


LIBSRTP = {
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: ("aes-128-icm", "hmac-sha1-80"),
    SrtpSuite.AES_CM_256_HMAC_SHA1_80: ("aes-256-icm", "hmac-sha1-80"),
    SrtpSuite.AEAD_AES_128_GCM: ("aes-128-gcm", "null"),
    SrtpSuite.AEAD_AES_256_GCM: ("aes-256-gcm", "null"),
}
SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    b"m=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n%s\r\n"
)


@pytest.mark.parametrize("suite", SrtpSuite)
def test_what_libsrtp_encrypts(srtp_gate: Gate, stage: Stage, clip: Clip, suite: SrtpSuite) -> None:
    """Every suite, over a wrap of the sequence number."""
    path = f"srtp/{suite.name}".lower()
    key = Keyring().key(0, suite=suite)
    with Client(srtp_gate.port("RTSPS"), tls=True) as client, socket.socket(type=socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        number = port.getsockname()[1] & ~1
        port.close()
        body = SDP % key_mgmt_attribute(key).encode()
        assert client.request("ANNOUNCE", path, body=body).status == 200
        transport = {"Transport": f"RTP/SAVP;unicast;client_port={number}-{number + 1};mode=record"}
        assert client.request("SETUP", f"{path}/streamid=0", headers=transport).status == 200
        assert client.request("RECORD", path).status == 200
        cipher, authentication = LIBSRTP[suite]
        stage.start(
            *("gst-launch-1.0", "-q", "filesrc", f"location={clip.file}", "!", "matroskademux"),
            *("!", "h264parse", "!", "rtph264pay", "pt=96", "config-interval=-1", "seqnum-offset=65500"),
            *("!", "application/x-rtp,payload=96", "!", "srtpenc", f"key={(key.key + key.salt).hex()}"),
            *(f"rtp-cipher={cipher}", f"rtp-auth={authentication}"),
            *(f"rtcp-cipher={cipher}", f"rtcp-auth={authentication}"),
            *("!", "udpsink", "host=127.0.0.1", f"port={srtp_gate.port('RTSPS', transport='UDP')}"),
            f"bind-port={number}",
        )
        publisher = srtp_gate.events.publishes(path)
        program, file = gstreamer.read(
            stage,
            clip,
            rtsps(srtp_gate, path),
            transport=Transport.UDP,
            count=PICTURES,
            options=(ANY_CERTIFICATE,),
        )
        gstreamer.succeed(program)
        assert is_excerpt(gstreamer.pictures(file), clip.pictures)
        session = srtp_gate.get(f"/v3/rtspssessions/get/{publisher['id']}")
        assert session["rtpPacketsInError"] == 0
        assert session["rtpPacketsReceived"] > 0


def test_pulled_over_srtp(
    srtp_gate: Gate, tmp_path: Path, stage: Stage, clip: Clip, certificate: tuple[Path, Path]
) -> None:
    ffmpeg.publish(stage, clip.file, srtp_gate.rtsp("srtp/pulled"), forever=False)
    srtp_gate.events.publishes("srtp/pulled")
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate[0].read_text())).hexdigest()
    source = {
        "source": rtsps(srtp_gate, "srtp/pulled"),
        "sourceFingerprint": fingerprint,
        "rtspTransport": "udp",
    }
    with Gate.open(tmp_path, settings(paths={"cam": source})) as second:
        session = second.events.publishes("cam")
        reading = ffmpeg.read(
            stage, second.rtsp("cam"), transport=Transport.TCP, pictures=PICTURES, sounds=PICTURES
        )
        reading.program.succeed()
        assert is_excerpt(reading.pictures, clip.pictures)
        assert is_excerpt(reading.sounds, clip.sounds)
        pulling = second.get(f"/v3/rtspsessions/get/{session['id']}")
        assert pulling["transport"] == "UDP"
        assert (pulling["rtpPacketsLost"], pulling["rtpPacketsInError"]) == (0, 0)
