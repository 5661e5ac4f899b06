from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.core.config import GlobalConf, Loaded, PathConf
from headgate.core.config.choices import AuthMethod
from headgate.core.config.former_keys import FORMER_GLOBAL, FORMER_PATH, NEWER_GLOBAL, NEWER_PATH

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]


def test_the_tables_speak_of_keys_there_are() -> None:
    for key, former in FORMER_GLOBAL.items():
        assert key not in GlobalConf.names()
        assert former.key in (PathConf if former.to_path_defaults else GlobalConf).names()
    for key, former in FORMER_PATH.items():
        assert key not in PathConf.names()
        assert former.key in PathConf.names()
    assert not NEWER_GLOBAL.keys() & (GlobalConf.names().keys() | FORMER_GLOBAL.keys())
    assert not NEWER_PATH.keys() & (PathConf.names().keys() | FORMER_PATH.keys())


def test_deprecated_keys_are_moved_and_told(load_text: Load) -> None:
    loaded = load_text(
        """\
        readBufferCount: 1024
        protocols: [tcp]
        encryption: strict
        serverKey: k
        serverCert: c
        recordPath: /r/%path/%s
        """
    )
    conf = loaded.configuration
    assert conf.global_.write_queue_size == 1024
    assert conf.global_.rtsp_transports == ("tcp",)
    assert conf.global_.rtsp_encryption == "strict"
    assert (conf.global_.rtsp_server_key, conf.global_.rtsp_server_cert) == ("k", "c")
    assert conf.path_defaults.record_path == "/r/%path/%s"
    assert "c.yml:1: readBufferCount: is deprecated; write writeQueueSize" in loaded.warnings
    assert "c.yml:6: recordPath: is deprecated; write pathDefaults.recordPath" in loaded.warnings


@pytest.mark.parametrize(("word", "served"), [("yes", False), ("no", True), ("true", False), ("off", True)])
def test_what_disabled_now_enables(load_text: Load, word: str, served: bool) -> None:  # noqa: FBT001
    assert load_text(f"rtspDisable: {word}").configuration.global_.rtsp is served
    loaded = load_text(f"pathDefaults:\n  disablePublisherOverride: {word}")
    assert loaded.configuration.path_defaults.override_publisher is served


def test_ice_servers_of_old(load_text: Load) -> None:
    loaded = load_text("webrtcICEServers: ['stun:example.org:3478', 'turn:bob:secret:example.org:3478']")
    assert [server.document() for server in loaded.configuration.global_.webrtc_ice_servers2] == [
        {"url": "stun:example.org:3478", "username": "", "password": "", "clientOnly": False},
        {"url": "turn:example.org:3478", "username": "bob", "password": "secret", "clientOnly": False},
    ]


def test_names_of_later_releases(load_text: Load) -> None:
    loaded = load_text(
        """\
        apiAllowOrigins: ['https://example.org']
        paths:
          cam:
            runOnAvailable: a
            runOnUnavailable: b
            rpiCameraH264Level: '4.2'
        """
    )
    conf = loaded.configuration
    assert conf.global_.api_allow_origin == "https://example.org"
    assert conf.paths["cam"].run_on_ready == "a"
    assert conf.paths["cam"].run_on_not_ready == "b"
    assert conf.paths["cam"].rpi_camera_level == "4.2"
    assert not any("deprecated" in warning for warning in loaded.warnings)


def test_two_names_of_one_key(load_text: Load, mistakes: Mistakes) -> None:
    load_text("readBufferCount: 64\nwriteQueueSize: 64")
    load_text(
        "pathDefaults: {runOnAvailable: , runOnOnline: , runOnAvailableRestart: no, runOnOnlineRestart: no}"
    )
    assert mistakes("readBufferCount: 64\nwriteQueueSize: 128") == [
        "c.yml:1: readBufferCount: says the same as writeQueueSize, which is set as well"
    ]


def test_several_origins_do_not_fit_into_one(mistakes: Mistakes) -> None:
    assert mistakes("apiAllowOrigins: [a, b]") == ["c.yml:1: apiAllowOrigins: takes exactly one origin here"]


def test_later_keys_are_taken_where_they_ask_for_nothing(load_text: Load, mistakes: Mistakes) -> None:
    loaded = load_text(
        """\
        logStructured: false
        moq: no
        hlsCDNSecret: ""
        pathDefaults:
          alwaysAvailable: false
          rtspUDPSourcePortRange: [32768, 60999]
          forward: []
          rtspScale:
        """
    )
    assert loaded.warnings == ()
    assert mistakes("hlsCDNSecret: x\npathDefaults:\n  alwaysAvailable: yes") == [
        "c.yml:1: hlsCDNSecret: is a key of another MediaMTX release and has no counterpart here",
        "c.yml:3: pathDefaults.alwaysAvailable: is a key of another MediaMTX release"
        " and has no counterpart here",
    ]


def test_access_control_of_old_does_not_get_lost(load_text: Load, mistakes: Mistakes) -> None:
    lost = "is not supported any more; access control is set with authInternalUsers"
    load_text("paths: {cam: {publishUser: '', readIPs: [], readPass: }}")
    assert mistakes("paths: {cam: {publishUser: bob, readIPs: [10.0.0.0/8]}}") == [
        f"c.yml:1: paths.cam.publishUser: {lost}",
        f"c.yml:1: paths.cam.readIPs: {lost}",
    ]
    settings = load_text("externalAuthenticationURL: http://localhost/auth").configuration.global_
    assert (settings.auth_method, settings.auth_http_address) == (AuthMethod.HTTP, "http://localhost/auth")
