from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.core.config import Configuration, GlobalConf, Loaded, PathConf
from headgate.core.config.effect import (
    EFFECTIVE_GLOBAL,
    EFFECTIVE_PATH,
    UNSAFE_GLOBAL,
    UNSAFE_PATH,
    ineffective,
    unsafe,
)

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]


def test_the_tables_speak_of_keys_there_are() -> None:
    assert GlobalConf.names().keys() >= EFFECTIVE_GLOBAL | UNSAFE_GLOBAL.keys()
    assert PathConf.names().keys() >= EFFECTIVE_PATH | UNSAFE_PATH.keys()
    assert not EFFECTIVE_GLOBAL & UNSAFE_GLOBAL.keys()


def test_the_defaults_ask_for_nothing_that_is_missing() -> None:
    assert ineffective(Configuration.default()) == []
    assert unsafe(Configuration.default()) == []


def test_effective_keys_are_not_remarked(load_text: Load) -> None:
    loaded = load_text(
        """\
        logLevel: debug
        readTimeout: 3s
        rtspTransports: [tcp]
        rtspEncryption: strict
        rtspAuthMethods: [digest]
        authInternalUsers: [{user: bob, pass: x, permissions: [{action: read, path: ~^cam}]}]
        metrics: yes
        logDestinations: [file, syslog]
        logFile: x.log
        sysLogPrefix: gate
        runOnConnect: x
        paths:
          cam: {maxReaders: 3, overridePublisher: no, publisherGracePeriod: 3s, fallback: /other}
          hooked: {runOnReady: x, runOnRead: y}
          pulled: {source: 'rtsps://x/y', sourceOnDemand: yes, rtspTransport: tcp, rtspAnyPort: yes}
          moved: {source: redirect, sourceRedirect: 'rtsp://x/y'}
        """
    )
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("hlsVariant: fmp4", "c.yml:1: hlsVariant: has no effect yet (HLS is not built)"),
        ("hls: yes", "c.yml:1: hls: has no effect yet (HLS is not built)"),
        ("playback: yes", "c.yml:1: playback: has no effect yet (playback of recordings is not built)"),
        (
            "pathDefaults: {runOnRecordSegmentCreate: x}",
            "c.yml:1: pathDefaults.runOnRecordSegmentCreate: has no effect yet (recording is not built)",
        ),
        (
            "pathDefaults: {record: yes}",
            "c.yml:1: pathDefaults.record: has no effect yet (recording is not built)",
        ),
        (
            "paths: {cam: {source: 'rtmp://x'}}",
            "c.yml:1: paths.cam.source: has no effect yet (pulling over that protocol is not built);"
            " the path stays empty",
        ),
    ],
)
def test_what_has_no_effect_is_told(load_text: Load, text: str, warning: str) -> None:
    assert load_text(text).warnings == (warning,)


def test_what_is_switched_off_is_not_missed(load_text: Load) -> None:
    assert (
        load_text("hls: no\nhlsVariant: fmp4\nrtmp: no\nsrt: no\nwebrtc: no\npprofAddress: :1").warnings == ()
    )


def test_a_default_is_told_once_and_not_at_each_path(load_text: Load) -> None:
    loaded = load_text(
        "pathDefaults: {record: yes}\npaths: {a: , b: {record: no}, c: {recordFormat: mpegts}}"
    )
    assert [warning.split(": ")[1] for warning in loaded.warnings] == [
        "pathDefaults.record",
        "paths.c.recordFormat",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "apiEncryption: yes",
        "metricsEncryption: yes",
        "paths: {cam: {srtReadPassphrase: 0123456789}}",
        "pathDefaults: {srtPublishPassphrase: 0123456789}",
    ],
)
def test_nobody_is_left_in_false_safety(mistakes: Mistakes, text: str) -> None:
    lines = mistakes(text)
    assert lines
    assert all("is set, but" in line and "headgate refuses" in line for line in lines)


def test_the_default_users_may_be_written_out(load_text: Load) -> None:
    loaded = load_text(
        """\
        authInternalUsers:
        - user: any
          pass:
          ips: []
          permissions: [{action: publish, path: }, {action: read}, {action: playback}]
        - user: any
          ips: ['127.0.0.1', '::1']
          permissions: [{action: api}, {action: metrics}, {action: pprof}]
        """
    )
    assert loaded.configuration == Configuration.default()
