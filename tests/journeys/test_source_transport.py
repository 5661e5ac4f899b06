"""How a source's packets come where not everything is as it should be, and who we are to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.forgetful import forgetful
from tests.journeys.gate import Gate, settings
from tests.journeys.namespace import lose_datagrams, own_network
from tests.journeys.program import Stage

PASSWORD = "s3cr3t-of-the-camera"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of the server that pulls."""
    directory = tmp_path / "second"
    directory.mkdir()
    return directory


def test_where_no_datagram_comes_it_is_tcp_and_stays_so(
    tmp_path: Path, directory: Path, stage: Stage, clip: Clip
) -> None:
    with own_network(), Gate.open(tmp_path, settings()) as first:
        lose_datagrams()
        ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        paths = {"cam": {"source": first.rtsp("cam")}}
        with Gate.open(directory, settings(paths=paths)) as second:
            over_udp = second.events.wait("session.changed", target="cam", transport="UDP")["session"]
            second.events.closes(over_udp)
            over_tcp = second.events.wait("session.changed", target="cam", transport="TCP")["session"]
            reading = ffmpeg.read(
                stage, second.rtsp("cam"), transport=Transport.TCP, pictures=20, sounds=20, name="after"
            )
            reading.program.succeed()
            assert is_excerpt(reading.pictures, clip.pictures)
            # The next try does not wait for packets in vain.
            assert second.http.post(f"/v3/rtspsessions/kick/{over_tcp['id']}").status_code == 200
            again = second.events.wait_until(
                lambda event: (
                    event["type"] == "session.changed"
                    and event["target"] == "cam"
                    and event["role"] == "publish"
                    and event["session"] not in (over_udp, over_tcp)
                )
            )
            assert again["transport"] == "TCP"


def test_packets_from_any_port(gate: Gate, tmp_path: Path, directory: Path, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, gate.rtsp("transport/any"))
    gate.events.publishes("transport/any")
    with forgetful(gate.port("RTSP")) as port:
        url = f"rtsp://127.0.0.1:{port}/transport/any"
        paths = {
            "named": {"source": url},
            "strict": {"source": url, "rtspTransport": "udp"},
            "any": {"source": url, "rtspTransport": "udp", "rtspAnyPort": True},
        }
        with Gate.open(directory, settings(paths=paths)) as second:
            session = second.events.publishes("any")
            pulling = second.get(f"/v3/rtspsessions/get/{session['id']}")
            assert pulling["transport"] == "UDP"
            reading = ffmpeg.read(stage, second.rtsp("any"), transport=Transport.TCP, pictures=20, sounds=20)
            reading.program.succeed()
            assert is_excerpt(reading.pictures, clip.pictures)
            session = second.events.publishes("named")
            assert second.get(f"/v3/rtspsessions/get/{session['id']}")["transport"] == "TCP"
            second.says("source of path 'strict': the server does not say its UDP ports (rtspAnyPort")


@pytest.mark.parametrize("transport", list(Transport))
def test_a_password_that_is_never_sent(
    tmp_path: Path, directory: Path, stage: Stage, clip: Clip, transport: Transport
) -> None:
    """Digest: the server knows the password, and so must who pulls."""
    users = [
        {"user": "any", "ips": ["127.0.0.1"], "permissions": [{"action": "publish"}, {"action": "api"}]},
        {"user": "camera", "pass": PASSWORD, "permissions": [{"action": "read"}]},
    ]
    access = {"authInternalUsers": users, "rtspAuthMethods": ["digest"]}
    with Gate.open(tmp_path, settings(**access)) as first:
        ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        bare = first.rtsp("cam")
        paths = {
            "right": {
                "source": bare.replace("rtsp://", f"rtsp://camera:{PASSWORD}@"),
                "rtspTransport": str(transport),
            },
            "wrong": {"source": bare.replace("rtsp://", "rtsp://camera:guessed@")},
        }
        # Whoever guesses waits for the answer longer than the other time-outs here.
        with Gate.open(directory, settings(paths=paths, readTimeout="10s")) as second:
            second.events.publishes("right")
            reading = ffmpeg.read(
                stage, second.rtsp("right"), transport=Transport.TCP, pictures=20, sounds=20
            )
            reading.program.succeed()
            assert is_excerpt(reading.pictures, clip.pictures)
            second.says("source of path 'wrong': the server wants another user name and password")
            reading_there = first.events.reads("cam")
            sessions = first.get("/v1/sessions")["data"]
            users_there = [
                session["attributes"].get("user")
                for session in sessions
                if session["id"] == str(reading_there["number"])
            ]
            assert users_there == ["camera"]
            assert PASSWORD not in first.log + second.log
