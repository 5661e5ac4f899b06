from __future__ import annotations

from typing import Any

import pytest

from headgate.core.config import GlobalConf, PathConf
from headgate.core.config.rules import camera_mistakes, global_mistakes, name_mistake, path_mistakes
from headgate.core.config.users import AuthInternalUser


def test_the_defaults_break_no_rule() -> None:
    assert list(global_mistakes(GlobalConf())) == []
    assert list(path_mistakes(PathConf(), is_pattern=True, playback=True)) == []


@pytest.mark.parametrize(
    ("values", "key", "text"),
    [
        ({"read_timeout": 0}, "readTimeout", "greater than zero"),
        ({"write_timeout": -1}, "writeTimeout", "greater than zero"),
        ({"write_queue_size": 500}, "writeQueueSize", "power of two"),
        ({"auth_http_address": "ftp://x"}, "authHTTPAddress", "HTTP URL"),
        ({"auth_jwt_jwks": "x"}, "authJWTJWKS", "HTTP URL"),
        ({"auth_method": "http"}, "authHTTPAddress", "is empty"),
        ({"auth_method": "jwt"}, "authJWTJWKS", "is empty"),
        (
            {"auth_method": "jwt", "auth_jwt_jwks": "https://x", "auth_jwt_claim_key": ""},
            "authJWTClaimKey",
            "is empty",
        ),
        ({"rtsp_auth_methods": ()}, "rtspAuthMethods", "at least one"),
        (
            {"rtsp_auth_methods": ("digest",), "auth_method": "http", "auth_http_address": "http://x"},
            "rtspAuthMethods",
            "internal only",
        ),
        (
            {
                "rtsp_auth_methods": ("digest",),
                "auth_internal_users": (AuthInternalUser(user="bob", password="sha256:aaaa"),),
            },
            "rtspAuthMethods",
            "hashed",
        ),
        ({"rtsp_transports": ()}, "rtspTransports", "at least one"),
        ({"rtsp_encryption": "strict", "rtsp_transports": ("multicast",)}, "rtspEncryption", "multicast"),
        ({"rtp_address": ":8001", "rtcp_address": ":8002"}, "rtpAddress", "even"),
        ({"rtp_address": ":0"}, "rtpAddress", "even"),
        ({"rtcp_address": ":8002"}, "rtcpAddress", "8001"),
        ({"multicast_rtp_port": 8003, "multicast_rtcp_port": 8004}, "multicastRTPPort", "even"),
        ({"multicast_rtp_port": 0, "multicast_rtcp_port": 1}, "multicastRTPPort", "even"),
        ({"multicast_rtcp_port": 8005}, "multicastRTCPPort", "8003"),
        ({"multicast_ip_range": "10.0.0.0/8"}, "multicastIPRange", "multicast"),
        ({"multicast_ip_range": "224.0.0.0/3"}, "multicastIPRange", "multicast"),
        ({"multicast_ip_range": "ff15::/16"}, "multicastIPRange", "IPv4"),
        ({"multicast_ip_range": "x"}, "multicastIPRange", "IPv4"),
        ({"webrtc_ice_servers2": ({"url": "http://x"},)}, "webrtcICEServers2", "invalid ICE server"),
        ({"webrtc_local_udp_address": ""}, "webrtcLocalUDPAddress", "must be filled"),
        ({"webrtc_ips_from_interfaces": False}, "webrtcIPsFromInterfaces", "webrtcAdditionalHosts"),
    ],
)
def test_global_rules(values: dict[str, Any], key: str, text: str) -> None:
    ((where, what),) = global_mistakes(GlobalConf.model_validate(values))
    assert where == key
    assert text in what


@pytest.mark.parametrize(
    "values",
    [
        {"rtsp_encryption": "strict", "rtsp_transports": ("tcp",), "rtp_address": ":1"},
        {"rtsp_encryption": "strict", "rtsp_transports": ("tcp", "udp")},
        {"rtp_address": ":0", "rtcp_address": ":0"},
        {"rtp_address": ":1", "rtsp": False},
        {"rtsp_transports": (), "rtsp": False},
        {"rtp_address": ":1", "rtsp_transports": ("tcp",)},
        {"multicast_ip_range": "x", "rtsp_transports": ("tcp",)},
        {"multicast_ip_range": "239.1.2.3", "multicast_rtp_port": 5004, "multicast_rtcp_port": 5005},
        {"webrtc_local_udp_address": "", "webrtc_ice_servers2": ({"url": "stun:x"},)},
        {"webrtc_ips_from_interfaces": False, "webrtc_additional_hosts": ("x",)},
        {"auth_method": "jwt", "auth_jwt_jwks": "https://x"},
        {"write_queue_size": 1},
    ],
)
def test_what_global_rules_allow(values: dict[str, Any]) -> None:
    assert list(global_mistakes(GlobalConf.model_validate(values))) == []


@pytest.mark.parametrize(
    ("values", "key", "text"),
    [
        ({"source": "x"}, "source", "invalid source: 'x'"),
        ({"source": "ftp://host/x"}, "source", "invalid source"),
        ({"source": "rtsp://host:port/x"}, "source", "not a valid URL"),
        ({"source": "rtsp:///x"}, "source", "not a valid URL"),
        ({"source": "udp://239.0.0.1"}, "source", "port is missing"),
        ({"source": "rtmp://bob@host/x"}, "source", "both provided"),
        ({"source": "https://:secret@host/x.m3u8"}, "source", "both provided"),
        ({"source": "redirect"}, "sourceRedirect", "must be filled"),
        ({"source": "redirect", "source_redirect": "http://x"}, "sourceRedirect", "not a valid RTSP URL"),
        ({"source": "redirect", "source_redirect": "/a//../b"}, "sourceRedirect", "segment"),
        ({"source_redirect": "rtsp://x"}, "sourceRedirect", "useless"),
        ({"source_on_demand": True}, "sourceOnDemand", "useless"),
        ({"srt_read_passphrase": "short"}, "srtReadPassphrase", "10 and 79"),
        ({"srt_publish_passphrase": "x" * 80}, "srtPublishPassphrase", "10 and 79"),
        ({"srt_publish_passphrase": "x" * 10, "source": "srt://x:1"}, "srtPublishPassphrase", "publisher"),
        ({"fallback": "/"}, "fallback", "cannot be empty"),
        ({"fallback": "nowhere"}, "fallback", "not a valid RTSP URL"),
        ({"record_path": "%Y-%m-%d_%H-%M-%S"}, "recordPath", "%path"),
        ({"record_path": "%path/%Y-%m-%d_%H-%M"}, "recordPath", "either %s or"),
        ({"record_segment_duration": 86401, "record_delete_after": 0}, "recordSegmentDuration", "1d"),
        ({"record_delete_after": 60}, "recordDeleteAfter", "lower than"),
        ({"run_on_demand": "x", "source": "rtsp://x"}, "runOnDemand", "only when source"),
        ({"run_on_un_demand": "x", "source": "rtsp://x"}, "runOnUnDemand", "only when source"),
        ({"source": "rpiCamera", "rpi_camera_width": 0}, "rpiCameraWidth", "zero"),
        ({"source": "rpiCamera", "rpi_camera_awb": "x"}, "rpiCameraAWB", "one of auto"),
        ({"source": "rpiCamera", "rpi_camera_awb_gains": (1,)}, "rpiCameraAWBGains", "two numbers"),
        ({"source": "rpiCamera", "rpi_camera_codec": "mjpeg"}, "rpiCameraCodec", "primary"),
    ],
)
def test_path_rules(values: dict[str, Any], key: str, text: str) -> None:
    ((where, what),) = path_mistakes(PathConf.model_validate(values), is_pattern=False, playback=False)
    assert where == key
    assert text in what


@pytest.mark.parametrize(
    "scheme", ["rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "whep", "wheps"]
)
def test_sources_that_can_be_named(scheme: str) -> None:
    for url in (f"{scheme}://host/path", f"{scheme}://bob:secret@host:99/$G1?x=y"):
        assert list(path_mistakes(PathConf(source=url), is_pattern=False, playback=False)) == []


def test_rules_of_expressions() -> None:
    def keys(**values: Any) -> list[str]:
        return [key for key, _ in path_mistakes(PathConf(**values), is_pattern=True, playback=False)]

    assert keys(source="rtsp://x") == ["sourceOnDemand"]
    assert keys(source="rtsp://x", source_on_demand=True) == []
    assert keys(source="redirect", source_redirect="/a") == []
    assert keys(run_on_init="x") == ["runOnInit"]


def test_playback_needs_microseconds() -> None:
    conf = PathConf(record_path="%path/%s")
    assert list(path_mistakes(conf, is_pattern=False, playback=False)) == []
    assert [key for key, _ in path_mistakes(conf, is_pattern=False, playback=True)] == ["recordPath"]


def test_passwords_in_urls_are_not_told() -> None:
    for source in ("rtsp://bob:secret@host:x/", "ftp://bob:secret@host/"):
        ((_, what),) = path_mistakes(PathConf(source=source), is_pattern=False, playback=False)
        assert "secret" not in what


def test_names() -> None:
    assert name_mistake("cam") is None
    assert name_mistake("~^cam[0-9]+$") is None
    assert name_mistake("all_others") is None
    assert name_mistake("/cam") == "invalid path name '/cam': can't begin with a slash"
    assert name_mistake("~(") == "invalid regular expression: ("


def test_cameras() -> None:
    def camera(number: int, *, secondary: bool = False) -> PathConf:
        return PathConf(source="rpiCamera", rpi_camera_cam_id=number, rpi_camera_secondary=secondary)

    assert list(camera_mistakes({"a": camera(0), "b": camera(0, secondary=True), "c": camera(1)})) == []
    assert [(n, k) for n, k, _ in camera_mistakes({"a": camera(0), "b": camera(0)})] == [
        ("b", "rpiCameraCamID")
    ]
    assert [(n, k) for n, k, _ in camera_mistakes({"a": camera(0, secondary=True)})] == [
        ("a", "rpiCameraSecondary")
    ]
