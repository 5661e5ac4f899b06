from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from headgate.core.config import load
from headgate.core.config.foreign import translate
from headgate.core.config.foreign.translation import Translation
from headgate.core.config.foreign.turn_rs import from_turn_rs
from headgate.core.config.turn_conf import TurnConf, TurnTransport

SAMPLES = Path(__file__).with_name("samples")


def taken_over(name: str, tmp_path: Path) -> tuple[TurnConf, str]:
    out = tmp_path / "headgate.yml"
    out.write_text(text := translate(SAMPLES / name))
    return load(out).configuration.own.turn, text


def read(text: str) -> tuple[TurnConf, str]:
    translation = Translation()
    from_turn_rs(tomllib.loads(text), translation)
    translation.check()
    return TurnConf.model_validate(translation.keys), translation.text(title="a test")


def test_3_4(tmp_path: Path) -> None:
    turn, text = taken_over("turn-rs-3.4.toml", tmp_path)
    assert turn.realm == "example.org"
    assert [(one.transport, one.bind, one.external) for one in turn.interfaces] == [
        (TurnTransport.UDP, "0.0.0.0:3478", "203.0.113.9:3478"),
        (TurnTransport.TCP, "127.0.0.1:3479", ""),
    ]
    assert {name: one.get_secret_value() for name, one in turn.users.items()} == {
        "alice": "wonder",
        "dashed-name": "pass # word",
    }
    assert [one.get_secret_value() for one in turn.auth_secrets] == ["a secret of sixteen or more"]
    for what in ("api", "log", "peers", "permissions and channels"):
        assert f"\n# - {what}: " in text


def test_the_newest(tmp_path: Path) -> None:
    turn, text = taken_over("turn-server.toml", tmp_path)
    assert (turn.realm, turn.relay_port_range) == ("example.org", "50000-50999")
    assert [(one.transport, one.bind) for one in turn.interfaces] == [
        (TurnTransport.UDP, "0.0.0.0:3478"),
        (TurnTransport.TLS, "0.0.0.0:5349"),
    ]
    assert (turn.interfaces[1].cert, turn.interfaces[1].key) == ("/etc/ssl/turn.pem", "/etc/ssl/turn.key")
    assert set(turn.users) == {"alice", "dashed-name"}
    for what in ("rpc", "hooks", "max_threads", "interface 1, idle_timeout", "enable-hooks-auth"):
        assert f"\n# - {what}: " in text


def test_without_interfaces_nothing_listens() -> None:
    turn, text = read("")
    assert turn.interfaces == ()
    assert "nothing listens" in text


@pytest.mark.parametrize(
    "text",
    [
        "turn = 1\nserver = []\nauth = 'x'\n",
        "[turn]\nrealm = 5\ninterfaces = 'udp'\n",
        "[turn]\ninterfaces = [1, {}, {transport = 'sctp', bind = 'x'}, {transport = ['udp'], bind = 'x'}]\n",
        "[[turn.interfaces]]\ntransport = 'udp'\nbind = 'nowhere'\n",
        "[[turn.interfaces]]\ntransport = 'udp'\nbind = ':1'\nexternal = 'x:y:z'\nssl = 1\n",
        "[server]\nport-range = '5..4'\n",
        "[server]\nport-range = '1e9'\n",
        "[auth]\nstatic_credentials = {a = 1, b = [], ':' = 'x', '' = 'x'}\nstatic_auth_secret = 'short'\n",
        '["a\\nb: c\\u2028"]\n"x\\ny" = 1\n',
    ],
)
def test_nonsense_is_left_out_and_told(text: str) -> None:
    _, out = read(text)
    assert all(char.isprintable() or char == "\n" for char in out)
    assert all(line.startswith(("#", "turn", " ")) for line in out.splitlines() if line)
