from __future__ import annotations

import random
from pathlib import Path

import pytest

from headgate.core.config import load
from headgate.core.config.foreign import translate
from headgate.core.config.foreign.coturn import from_coturn
from headgate.core.config.foreign.translation import Translation
from headgate.core.config.turn_conf import TurnConf, TurnTransport

SAMPLE = Path(__file__).with_name("samples") / "turnserver.conf"


def read(text: str) -> tuple[TurnConf, str]:
    """The section as the server reads it, and everything that is printed."""
    translation = Translation()
    from_coturn(text, translation)
    translation.check()
    return TurnConf.model_validate(translation.keys), translation.text(title="a test")


def test_a_real_file(tmp_path: Path) -> None:
    out = tmp_path / "headgate.yml"
    out.write_text(text := translate(SAMPLE))
    loaded = load(out)
    turn = loaded.configuration.own.turn
    assert [(one.transport, one.bind, one.external) for one in turn.interfaces] == [
        (TurnTransport.UDP, "10.0.0.5:3478", "203.0.113.9"),
        (TurnTransport.TCP, "10.0.0.5:3478", "203.0.113.9"),
        (TurnTransport.TLS, "10.0.0.5:5349", "203.0.113.9"),
        (TurnTransport.DTLS, "10.0.0.5:5349", "203.0.113.9"),
    ]
    assert (turn.interfaces[2].cert, turn.interfaces[2].key) == ("/etc/ssl/turn.pem", "/etc/ssl/turn.key")
    assert [(one.address, one.external) for one in turn.relay_addresses] == [("10.0.0.5", "203.0.113.9")]
    assert (turn.realm, turn.relay_port_range) == ("example.org", "50000-50999")
    assert {name: one.get_secret_value() for name, one in turn.users.items()} == {"alice": "wonder:land #1"}
    assert [one.get_secret_value() for one in turn.auth_secrets] == [
        "a secret of sixteen or more",
        "another secret, in quotes",
    ]
    assert [str(one) for one in turn.peers.allow] == ["192.168.0.128/25"]
    assert [str(one) for one in turn.peers.deny] == ["8.8.8.8/32", "192.168.0.0/25"]
    quotas = turn.quotas
    assert (quotas.allocations_per_user, quotas.allocations) == (12, 1200)
    assert quotas.bytes_per_second == 128_000
    assert turn.compatible_channels
    assert turn.mobility
    assert turn.alternate_servers == ("198.51.100.5:3478", "[2001:db8::5]:3479")

    for what in ("cipher-list", "no-cli", "prometheus", "psql-userdb", "of-tomorrow", "private networks"):
        assert f"\n# - {what}: " in text
    assert "\n# - authSecrets, item 3: must have at least 16 characters" in text
    assert "verbose" not in text
    assert "canary" not in text


def test_an_empty_file_is_coturns_defaults() -> None:
    turn, text = read("# nothing\n\n")
    assert [(one.transport, one.bind) for one in turn.interfaces] == [
        (TurnTransport.UDP, ":3478"),
        (TurnTransport.TCP, ":3478"),
    ]
    assert "credentials: there are none in the file" in text


def test_what_is_switched_off() -> None:
    turn, text = read("no-tcp\nno-tls\ncert=a\npkey=b\nlistening-port=3479\nno-udp=0\nmobility=no\n")
    assert [(one.transport, one.bind) for one in turn.interfaces] == [(TurnTransport.UDP, ":3479")]
    assert not turn.mobility
    assert "no-udp" not in text


def test_a_limit_that_was_lifted_stays_lifted() -> None:
    turn, text = read("max-bps=0\nuser-quota=0\n")
    assert (turn.quotas.bytes_per_second, turn.quotas.allocations_per_user) == (0, 0)
    assert "max-bps" not in text


def test_one_external_address_is_everybodys() -> None:
    turn, _ = read("external-ip=203.0.113.9\nrelay-ip=10.0.0.5\nrelay-ip=10.0.0.6\nrelay-ip=::1\n")
    assert {one.external for one in turn.interfaces} == {"203.0.113.9"}
    assert [(one.address, one.external) for one in turn.relay_addresses] == [
        ("10.0.0.5", "203.0.113.9"),
        ("::1", ""),
    ]


def test_each_family_has_its_own_external_address() -> None:
    turn, _ = read(
        "external-ip=203.0.113.9\nexternal-ip=2001:db8::9\nlistening-ip=10.0.0.5\nlistening-ip=fd00::5\n"
        "relay-ip=10.0.0.5\nrelay-ip=fd00::5\n"
    )
    pairs = {("10.0.0.5", "203.0.113.9"), ("fd00::5", "2001:db8::9")}
    assert {(one.address, one.external) for one in turn.relay_addresses} == pairs
    assert {(one.bind.rpartition(":")[0].strip("[]"), one.external) for one in turn.interfaces} == pairs


def test_at_every_address_the_external_one_is_ipv4s() -> None:
    turn, _ = read("external-ip=203.0.113.9\nexternal-ip=2001:db8::9\n")
    assert {one.external for one in turn.interfaces} == {"203.0.113.9"}
    assert {one.external for one in read("external-ip=2001:db8::9\n")[0].interfaces} == {"2001:db8::9"}


def test_what_coturn_does_without_being_asked() -> None:
    """And headgate does not: TCP relays, and before 4.17 DTLS."""
    _, text = read("cert=a\npkey=b\n")
    assert "\n# - TCP relay: coturn has one unless no-tcp-relay says no; here tcpRelay: yes has one" in text
    assert "\n# - dtls: " in text
    _, text = read("cert=a\npkey=b\nno-tcp-relay\nno-dtls\n")
    assert "TCP relay" not in text
    assert "tcp-relay" not in text
    assert "dtls" not in text


@pytest.mark.parametrize("option", ["alt-listening-port=3479", "rfc5780", "no-rfc5780"])
def test_behaviour_discovery_is_told_of_as_it_is(option: str) -> None:
    _, text = read(option)
    assert "is there where four UDP interfaces are two addresses with the same two ports" in text


@pytest.mark.parametrize(
    "option", ["sock-buf-size", "udp-gso", "udp-recvmmsg", "stateless-nonce", "multiplex-peer-port"]
)
def test_what_is_coturns_alone_is_known(option: str) -> None:
    _, text = read(f"{option}=1")
    assert f"\n# - {option}: " in text
    assert "is not known" not in text


def test_an_allowed_range_opens_nothing_that_was_closed() -> None:
    turn, _ = read("allowed-peer-ip=0.0.0.0-255.255.255.255\n")
    for closed in ("127.0.0.1/32", "169.254.169.254/32", "0.0.0.0/32"):
        network = type(turn.peers.allow[0])(closed)
        assert not any(network.subnet_of(one) for one in turn.peers.allow if one.version == 4)
    turn, _ = read("allow-loopback-peers\nallowed-peer-ip=fd00::1\n")
    assert [str(one) for one in turn.peers.allow] == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    "line",
    [
        "min-port=70000",
        "max-port=5",
        "listening-port=99999999999999999999999999",
        "user-quota=-1",
        "realm=" + "x" * 500,
        "user=:x",
        "user=name",
        "listening-ip=not-an-address]",
        "external-ip=x/y/z",
        "relay-ip=0.0.0.0",
        "alternate-server=",
        "denied-peer-ip=9.9.9.9-1.1.1.1",
        "denied-peer-ip=::-255.255.255.255",
        "allowed-peer-ip=%s%n",
        "aux-server=a:b:c",
        "=",
        "-",
        "= =",
        "\x00\x1b[31m=\x07",
        'realm="',
    ],
)
def test_nonsense_is_left_out_and_told(line: str) -> None:
    turn, text = read(f"{line}\nuser=ann:b\n")
    assert turn.users
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_line_cannot_leave_its_comment() -> None:
    _, text = read("evil\x0bapi:\x85\u2028yes=1\n")
    assert all(line.startswith(("#", "turn", " ")) for line in text.splitlines() if line)


def test_thousands_of_networks_are_too_many() -> None:
    lines = "".join(f"denied-peer-ip=2001:db8:{n:x}::1-2001:db8:{n:x}:ffff::fffe\n" for n in range(300))
    turn, text = read(lines)
    assert turn.peers.deny == ()
    assert "NOTHING of them was taken over" in text


def test_remarks_are_bounded() -> None:
    _, text = read("".join(f"option-{n}\n" for n in range(5000)))
    assert text.count("\n") < 300
    assert " more\n" in text


def test_whatever_the_bytes() -> None:
    seed = 20261121
    print(f"seed {seed}")
    dice = random.Random(seed)
    sample = SAMPLE.read_text()
    for _ in range(200):
        text = list(sample)
        for _ in range(dice.randrange(1, 40)):
            text[dice.randrange(len(text))] = chr(dice.choice((0, 10, 34, 45, 58, 61, 91, 0x2028, 0x1F600)))
        read("".join(text))
