"""Spreed WebRTC's server.conf."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.core.config import load
from headgate.core.config.foreign.spreed import looks_like_server_conf, read_server_conf

CONF = """
; a server that somebody ran for years
[http]
listen = 127.0.0.1:8093
root = /usr/share/spreed-webrtc-server/www
maxfd = 32768
basePath = /meet
stats = true

[app]
title = Our rooms
turnURIs = turn:turn.example:443?transport=udp turn:turn.example:443?transport=tcp
stunURIs = stun:stun.example:3478 nonsense
turnSecret = the-default-turn-shared-secret-do-not-keep
sessionSecret = the-default-secret-do-not-keep-me
encryptionSecret = tne-default-encryption-block-key
authorizeRoomJoin = true
extra = /usr/share/spreed-webrtc-server/extra

[users]
enabled = true
mode = sharedsecret
sharedsecret_secret = some-secret-do-not-keep

[modules]
youtube = false

[roomtypes]
^conference/.* = Conference

[nats]
channelling_trigger = true
"""


def test_it_is_said_again(tmp_path: Path) -> None:
    file = tmp_path / "server.conf"
    file.write_text(CONF)
    result = CliRunner().invoke(main, ["import", str(file)])
    assert result.exit_code == 0, result.output
    ours = tmp_path / "headgate.yml"
    ours.write_text(result.output)
    rooms = load(ours, {}).configuration.own.rooms
    assert (rooms.address, rooms.base_path, rooms.title, rooms.stats) == (
        "127.0.0.1:8093",
        "/meet/",
        "Our rooms",
        True,
    )
    assert rooms.turn_uris == (
        "turn:turn.example:443?transport=udp",
        "turn:turn.example:443?transport=tcp",
    )
    assert rooms.stun_uris == ()
    assert rooms.users.enabled
    assert rooms.users.sharedsecret_secret.get_secret_value() == "some-secret-do-not-keep"
    assert not rooms.modules.youtube
    assert rooms.authorize_room_join
    assert rooms.room_types == {"^conference/.*": "Conference"}
    for text in ("stunURIs", "[nats] channelling_trigger: dropped", "[app] extra: dropped", "[http] maxfd"):
        assert text in result.output


def test_https_comes_first() -> None:
    text = "[http]\nlisten = :80\n[https]\nlisten = :443\ncertificate = c\nkey = k\n"
    imported = read_server_conf(text)
    assert imported.rooms == {"encryption": True, "address": ":443", "serverCert": "c", "serverKey": "k"}
    assert len(imported.remarks) == 1


@pytest.mark.parametrize("text", ["no section", "[http\nlisten", "\0"])
def test_what_is_no_server_conf(text: str) -> None:
    assert not looks_like_server_conf(text)
    with pytest.raises(ValueError, match=r"no server\.conf"):
        read_server_conf(text)


def test_it_is_recognised() -> None:
    assert looks_like_server_conf(CONF)
    assert not looks_like_server_conf("listening-port=3478\n")


def test_a_line_of_the_file_stays_in_a_comment() -> None:
    imported = read_server_conf("[app]\nevil\x85rooms = {}: x\n")
    assert all(line.startswith(("#", "rooms:")) or not line for line in imported.text().split("\n"))


# Each option that the old server knew, by section.
KNOWN = {
    "http": ["listen", "root", "readtimeout", "writetimeout", "basePath", "maxfd", "stats", "pprofListen"],
    "https": ["listen", "certificate", "key", "minVersion", "readtimeout", "writetimeout"],
    "app": [
        "title",
        "ver",
        "stunURIs",
        "turnURIs",
        "turnSecret",
        "renegotiation",
        "sessionSecret",
        "encryptionSecret",
        "tokenFile",
        "globalRoom",
        "defaultRoomEnabled",
        "authorizeRoomJoin",
        "authorizeRoomCreation",
        "pipelinesEnabled",
        "serverToken",
        "serverRealm",
        "extra",
        "extra.d",
        "plugin",
        "contentSecurityPolicy",
        "contentSecurityPolicyReportOnly",
    ],
    "modules": ["screensharing", "youtube", "presentation", "contacts"],
    "log": ["logfile"],
    "users": [
        "enabled",
        "mode",
        "sharedsecret_secret",
        "httpheader_header",
        "certificate_key",
        "certificate_certificate",
        "certificate_verifiedHeader",
        "certificate_verifiedHeaderValue",
        "certificate_certificateHeader",
        "certificate_validForDays",
        "certificate_organization",
        "allowRegistration",
    ],
    "nats": ["channelling_trigger", "channelling_trigger_subject", "url", "establishTimeout", "client_id"],
}
VALUES = {
    "basePath": "/x/",
    "listen": ":1",
    "mode": "sharedsecret",
    "stunURIs": "stun:x",
    "turnURIs": "turn:x",
    "httpheader_header": "x-user",
    "certificate_verifiedHeader": "x-a",
    "certificate_certificateHeader": "x-b",
}
SWITCHES = (
    "Enabled",
    "enabled",
    "stats",
    "renegotiation",
    "Join",
    "Creation",
    "Registration",
    "tube",
    "contacts",
)


@pytest.mark.parametrize(
    ("section", "option"), [(section, option) for section, options in KNOWN.items() for option in options]
)
def test_every_option_has_a_place_or_a_reason(section: str, option: str) -> None:
    value = VALUES.get(option, "true" if option.endswith(SWITCHES) else "a value that is long enough")
    imported = read_server_conf(f"[{section}]\n{option} = {value}\n")
    told = [
        remark for remark in imported.remarks if remark.startswith(f"[{section}] {option.lower()}: dropped")
    ]
    assert bool(imported.rooms) is not bool(told), (imported.rooms, imported.remarks)
    assert not [remark for remark in imported.remarks if remark not in told]
