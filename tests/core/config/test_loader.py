from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.core.config import Configuration, Loaded, OwnConf, load
from headgate.core.config.effect import EFFECTIVE_GLOBAL, EFFECTIVE_PATH
from headgate.core.config.loader import find_file

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]

SHIPPED = Path(__file__).parents[3] / "headgate.yml"

BAD = """\
logLevel: loud
readTimeout: 10
writeTimout: 5s
writeQueueSize: 500
api: maybe
authInternalUsers:
- user: bob
  pass: "b ad"
  ips: [300.1.1.1]
  permissons: []
  permissions:
  - action: fly
  - path: x
pathDefaults:
  recordFormat: mkv
  recordPath: ./x-%s
applications:
  acessToken: x
proxy: {}
paths:
  cam1:
    source: ftp://x
  /bad:
  "~(":
  all:
  all_others:
  text: text
"""


def test_every_mistake_is_told_at_once_with_file_line_and_key(mistakes: Mistakes) -> None:
    assert mistakes(BAD, HEADGATE_PATHS_CAM1_MAXREADERS="many") == [
        "c.yml:1: logLevel: invalid log level: 'loud' (one of error, warn, info, debug)",
        "c.yml:2: readTimeout: invalid duration '10'; write it like 10s, 1m30s, 200ms or 1d",
        "c.yml:3: writeTimout: unknown key (did you mean 'writeTimeout'?)",
        "c.yml:4: writeQueueSize: must be a power of two",
        "c.yml:5: api: must be yes or no, not 'maybe'",
        "c.yml:8: authInternalUsers[0].pass:"
        " a credential can contain only letters, digits and !$()*+.;<=>[]^_-{}@#&",
        "c.yml:9: authInternalUsers[0].ips[0]: unable to parse IP/CIDR '300.1.1.1'",
        "c.yml:10: authInternalUsers[0].permissons: unknown key (did you mean 'permissions'?)",
        "c.yml:12: authInternalUsers[0].permissions[0].action: invalid auth action: 'fly'"
        " (one of publish, read, playback, api, metrics, pprof, relay)",
        "c.yml:13: authInternalUsers[0].permissions[1].action: is missing",
        "c.yml:15: pathDefaults.recordFormat: invalid record format 'mkv' (one of fmp4, mpegts)",
        "c.yml:16: pathDefaults.recordPath: must contain %path",
        "c.yml:18: applications.acessToken: unknown key (did you mean 'accessToken'?)",
        "c.yml:19: proxy: unknown key",
        "c.yml:22: paths.cam1.source: invalid source: 'ftp://x'",
        "c.yml:23: paths./bad: invalid path name '/bad': can't begin with a slash",
        "c.yml:24: paths.~(: invalid regular expression: (",
        "c.yml:26: paths.all_others: all_others and all are the same; only one may be configured",
        "c.yml:27: paths.text: must be a mapping of keys to values",
        "HEADGATE_PATHS_CAM1_MAXREADERS: paths.cam1.maxReaders: must be a whole number, not 'many'",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("rtspTransports: tcp", "c.yml:1: rtspTransports: must be a list"),
        ("authInternalUsers: [bob]", "c.yml:1: authInternalUsers[0]: must be a mapping of keys to values"),
        ("logFile: [x]", "c.yml:1: logFile: must be text"),
        ("paths: [cam]", "c.yml:1: paths: must be a mapping of names to paths"),
        ("pathDefaults: x", "c.yml:1: pathDefaults: must be a mapping of keys to values"),
        ("udpMaxPayloadSize: 1473", "c.yml:1: udpMaxPayloadSize: must be at most 1472"),
        ("writeQueueSize: 0", "c.yml:1: writeQueueSize: must be at least 1"),
        ("multicastRTPPort: 70000", "c.yml:1: multicastRTPPort: must be at most 65535"),
        (
            "rtspTransports: [tcp, ~]",
            "c.yml:1: rtspTransports[1]: invalid transport 'None' (one of multicast, tcp, udp)",
        ),
        ("read_timeout: 10s", "c.yml:1: read_timeout: unknown key (did you mean 'readTimeout'?)"),
        ("pathDefault: {}", "c.yml:1: pathDefault: unknown key (did you mean 'pathDefaults'?)"),
        ("paths: {cam: {record: maybe}}", "c.yml:1: paths.cam.record: must be yes or no, not 'maybe'"),
        ("logLevel: [", "c.yml:2: not YAML: "),
    ],
)
def test_each_mistake_in_words(mistakes: Mistakes, text: str, mistake: str) -> None:
    (line,) = mistakes(text + "\n")
    assert line.startswith(mistake)


def test_a_mistake_in_the_defaults_is_told_there_and_once(mistakes: Mistakes) -> None:
    assert mistakes(
        "pathDefaults:\n  recordDeleteAfter: 1s\npaths:\n  a:\n  b:\n  c:\n    maxReaders: 1\n"
    ) == ["c.yml:2: pathDefaults.recordDeleteAfter: cannot be lower than recordSegmentDuration"]


def test_an_empty_file_is_the_default(load_text: Load) -> None:
    loaded = load_text("")
    assert loaded.configuration == Configuration.default()
    assert loaded.file == Path("c.yml")
    assert loaded.warnings == ()


def test_null_is_as_if_it_were_not_there(load_text: Load, mistakes: Mistakes) -> None:
    assert load_text("logFile:\npathDefaults:\n  source:\npaths:\n").configuration == Configuration.default()
    assert mistakes("logFle:\n") == ["c.yml:1: logFle: unknown key (did you mean 'logFile'?)"]


def test_paths_have_the_defaults_merged_in(load_text: Load) -> None:
    conf = load_text(
        """\
        pathDefaults: {maxReaders: 5, overridePublisher: no}
        paths:
          a:
          b: {maxReaders: 0, name: other}
          ~^c: {overridePublisher: yes}
        """
    ).configuration
    assert list(conf.paths) == ["a", "b", "~^c"]
    assert [(p.name, p.max_readers, p.override_publisher) for p in conf.paths.values()] == [
        ("a", 5, False),
        ("b", 0, False),
        ("~^c", 5, True),
    ]
    assert conf.path_defaults.name == ""


def test_naming_a_path_closes_the_rest(load_text: Load) -> None:
    assert list(load_text("paths: {cam: }").configuration.paths) == ["cam"]
    assert list(load_text("paths: {}").configuration.paths) == []
    assert list(load_text("", HEADGATE_PATHS_CAM="").configuration.paths) == ["cam"]


def test_the_environment_is_laid_over_the_file(load_text: Load) -> None:
    conf = load_text(
        "readTimeout: 5s\nwriteTimeout: 6s\npaths: {cam: {maxReaders: 1}}",
        HEADGATE_READTIMEOUT="7s",
        MTX_PATHS_CAM_OVERRIDEPUBLISHER="no",
    ).configuration
    assert (conf.global_.read_timeout, conf.global_.write_timeout) == (7, 6)
    assert conf.paths["cam"].max_readers == 1
    assert conf.paths["cam"].override_publisher is False


def test_a_mediamtx_file_loads(load_text: Load) -> None:
    loaded = load_text(
        """\
        # The style of a file that MediaMTX ships: every word unquoted that may be.
        logLevel: info
        runOnConnect:
        runOnConnectRestart: no
        authMethod: internal
        authHTTPExclude:
        - action: api
        - action: metrics
        - action: pprof
        api: yes
        apiAddress: :9997
        apiTrustedProxies: []
        rtspEncryption: "no"
        rtmpEncryption: no
        hlsMuxerCloseAfter: 60s
        hlsSegmentMaxSize: 50M
        pathDefaults:
          recordSegmentDuration: 1h
          recordDeleteAfter: 1d
          rpiCameraAWBGains: [0, 0]
          rpiCameraLensPosition: 0.0
          rpiCameraLevel: 4.1
        paths:
          ~^cam(\\d+)$:
            source: publisher
          all_others:
        """
    )
    assert loaded.warnings == ()
    assert loaded.configuration.global_.api_address == ":9997"
    assert loaded.configuration.path_for("cam7").groups == ("7",)


def test_the_shipped_file_says_what_is_built_in() -> None:
    loaded = load(SHIPPED, {})
    assert loaded.configuration == Configuration.default()
    assert loaded.warnings == ()


def test_the_shipped_file_has_every_effective_key() -> None:
    written = {
        line.split(":")[0].strip() for line in SHIPPED.read_text().splitlines() if not line.startswith("#")
    }
    assert written >= OwnConf.names().keys() | EFFECTIVE_GLOBAL | (EFFECTIVE_PATH - {"name"}) | {
        "accessToken"
    }


def test_where_a_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, user = tmp_path / "here", tmp_path / "user"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(user))
    (user / "headgate").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)

    (user / "headgate" / "headgate.yml").touch()
    assert find_file() == user / "headgate" / "headgate.yml"
    Path("mediamtx.yml").touch()
    assert find_file() == Path("mediamtx.yml")
    Path("headgate.yml").write_text("logLevel: debug")
    assert find_file() == Path("headgate.yml")
    assert load(environ={}).configuration.global_.log_level == "debug"


def test_no_file_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.core.config.loader.find_file", lambda: None)
    loaded = load(environ={})
    assert loaded.file is None
    assert loaded.configuration == Configuration.default()
