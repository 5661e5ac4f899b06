from __future__ import annotations

import pytest

from headgate.core.config.draft import Draft
from headgate.core.config.environment import read_environment


def data(**environ: str) -> dict[str, object]:
    draft = Draft()
    read_environment(environ, draft)
    assert draft.mistakes == []
    return draft.data


def test_keys_of_the_top_level() -> None:
    assert data(HEADGATE_READTIMEOUT="30s", MTX_LOGLEVEL="debug", PATH="/bin", XHEADGATE_RTSP="no") == {
        "readTimeout": "30s",
        "logLevel": "debug",
    }


def test_ours_win_over_mediamtx() -> None:
    assert data(HEADGATE_RTSP="no", MTX_RTSP="yes") == {"rtsp": "no"}


def test_lists() -> None:
    assert data(MTX_RTSPTRANSPORTS="tcp,udp", MTX_APITRUSTEDPROXIES="") == {
        "rtspTransports": ["tcp", "udp"],
        "apiTrustedProxies": [],
    }
    assert data(MTX_PATHDEFAULTS_RPICAMERAAWBGAINS="1,2.5") == {
        "pathDefaults": {"rpiCameraAWBGains": ["1", "2.5"]}
    }


def test_items_of_lists_change_what_is_there_and_go_on() -> None:
    environ = {f"HEADGATE_WEBRTCICESERVERS2_{index}_URL": f"stun:{index}" for index in range(12)}
    assert data(**environ) == {"webrtcICEServers2": [{"url": f"stun:{index}"} for index in range(12)]}

    users = data(MTX_AUTHINTERNALUSERS_0_USER="bob", MTX_AUTHINTERNALUSERS_0_IPS="10.0.0.1,10.0.0.2")
    first, second = users["authInternalUsers"]  # type: ignore[misc] - a list of mappings
    assert first["user"] == "bob"
    assert first["ips"] == ["10.0.0.1", "10.0.0.2"]
    assert [p["action"] for p in first["permissions"]] == ["publish", "read", "playback"]
    assert second["user"] == "any"


def test_items_within_items() -> None:
    environ = {
        "HEADGATE_AUTHINTERNALUSERS": "",
        "HEADGATE_AUTHINTERNALUSERS_0_USER": "bob",
        "HEADGATE_AUTHINTERNALUSERS_0_PERMISSIONS_0_ACTION": "read",
        "HEADGATE_AUTHINTERNALUSERS_0_PERMISSIONS_1_ACTION": "publish",
    }
    assert data(**environ) == {
        "authInternalUsers": [{"user": "bob", "permissions": [{"action": "read"}, {"action": "publish"}]}]
    }


def test_an_item_needs_those_before_it() -> None:
    draft = Draft()
    read_environment({"HEADGATE_WEBRTCICESERVERS2_1_URL": "stun:x"}, draft)
    assert draft.mistakes == [
        "HEADGATE_WEBRTCICESERVERS2_1_URL: item 1 of webrtcICEServers2 is set, but not the one before it"
    ]


def test_paths() -> None:
    assert data(
        HEADGATE_PATHS_CAM1_MAXREADERS="3",
        HEADGATE_PATHS_FRONT_DOOR_SOURCE="publisher",
        HEADGATE_PATHS_ALL_OTHERS="",
        HEADGATE_PATHDEFAULTS_MAXREADERS="5",
        HEADGATE_APPLICATIONS_ACCESSTOKEN="t",
    ) == {
        "paths": {"cam1": {"maxReaders": "3"}, "front_door": {"source": "publisher"}, "all_others": {}},
        "pathDefaults": {"maxReaders": "5"},
        "applications": {"accessToken": "t"},
    }


def test_a_path_is_found_whatever_its_case() -> None:
    draft = Draft({"paths": {"Cam1": None, "door": {"maxReaders": "1"}}})
    read_environment({"MTX_PATHS_CAM1_MAXREADERS": "3", "MTX_PATHS_DOOR_OVERRIDEPUBLISHER": "no"}, draft)
    assert draft.data == {
        "paths": {"Cam1": {"maxReaders": "3"}, "door": {"maxReaders": "1", "overridePublisher": "no"}}
    }


def test_former_keys() -> None:
    assert data(MTX_PROTOCOLS="tcp", MTX_READBUFFERCOUNT="64", MTX_RECORD="yes") == {
        "protocols": ["tcp"],
        "readBufferCount": "64",
        "record": "yes",
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"HEADGATE_STATE_DIR": "/var/lib/headgate"},
        {"HEADGATE_API": "http://127.0.0.1:9997"},
        {
            "HEADGATE_SERVICE_HOST": "10.0.0.1",
            "HEADGATE_SERVICE_PORT": "80",
            "HEADGATE_SERVICE_PORT_RTSP": "8554",
        },
        {
            "HEADGATE_PORT": "tcp://10.0.0.1:80",
            "HEADGATE_PORT_80_TCP_ADDR": "10.0.0.1",
            "HEADGATE_PORT_80_TCP": "x",
        },
    ],
)
def test_variables_that_are_no_keys(environ: dict[str, str]) -> None:
    assert data(**environ) == {}


def test_the_key_api_can_be_set() -> None:
    assert data(HEADGATE_API="no") == {"api": "no"}


def test_unknown_variables() -> None:
    draft = Draft()
    read_environment(
        {
            "HEADGATE_READTIMEOT": "1s",
            "HEADGATE_PATHS_CAM_NOKEY": "x",
            "HEADGATE_APPLICATIONS_X": "x",
            "HEADGATE_AUTHINTERNALUSERS_X_USER": "x",
            "MTX_QUERY": "a=b",
        },
        draft,
    )
    assert draft.mistakes == [
        "HEADGATE_APPLICATIONS_X: no key is called so",
        "HEADGATE_AUTHINTERNALUSERS_X_USER: no key is called so (did you mean 'AUTHINTERNALUSERS'?)",
        "HEADGATE_PATHS_CAM_NOKEY: no key is called so",
        "HEADGATE_READTIMEOT: no key is called so (did you mean 'READTIMEOUT'?)",
    ]
    assert draft.warnings == ["MTX_QUERY: no key is called so"]
    assert draft.data == {}


def test_an_encrypted_file_is_not_silently_misread() -> None:
    draft = Draft()
    read_environment({"MTX_CONFKEY": "secret"}, draft)
    assert draft.mistakes == ["MTX_CONFKEY: encrypted configuration files are not supported"]
