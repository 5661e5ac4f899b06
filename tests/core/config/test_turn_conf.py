"""The section `turn`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.core.config import Loaded
from headgate.core.config.turn_conf import TurnConf, TurnQuotas, TurnTransport

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]
SECRET = "a secret of sixteen or more"

FULL = f"""\
turn:
  realm: example.org
  interfaces:
  - {{transport: udp, bind: ':3478', external: 203.0.113.5}}
  - {{transport: tls, bind: '192.0.2.1:5349', external: '203.0.113.5:443', cert: a.crt, key: a.key}}
  relayAddresses: [192.0.2.1, {{address: '2001:db8::1', external: '2001:db8::2'}}]
  relayPortRange: 50000-50999
  users: {{bob: builder, 'alice@x': 1234}}
  authSecrets: [{SECRET}]
  peers: {{allow: [10.0.0.0/8], deny: ['10.1.2.3']}}
  quotas: {{allocationsPerUser: 5, bytesPerSecond: 1M}}
  compatibleChannels: yes
  alternateServers: ['203.0.113.9:3478']
"""


def test_it_is_read(load_text: Load) -> None:
    loaded = load_text(FULL)
    turn = loaded.configuration.own.turn
    assert loaded.warnings == ()
    assert [one.transport for one in turn.interfaces] == [TurnTransport.UDP, TurnTransport.TLS]
    assert [(one.address, one.external) for one in turn.relay_addresses] == [
        ("192.0.2.1", ""),
        ("2001:db8::1", "2001:db8::2"),
    ]
    assert turn.relay_ports == range(50_000, 51_000)
    assert {name: value.get_secret_value() for name, value in turn.users.items()} == {
        "bob": "builder",
        "alice@x": "1234",
    }
    assert (turn.quotas.allocations_per_user, turn.quotas.bytes_per_second) == (5, 1024**2)
    assert turn.quotas.permissions_per_allocation == 64


def test_zero_lifts_every_quota(load_text: Load) -> None:
    zeros = "".join(f"    {name}: 0\n" for name in TurnQuotas.names())
    quotas = load_text(f"turn:\n  quotas:\n{zeros}").configuration.own.turn.quotas
    assert set(quotas.model_dump().values()) <= {0, "0"}
    assert quotas.bytes_per_second == 0
    assert TurnQuotas.model_validate(quotas.model_dump(by_alias=True)) == quotas


def test_it_listens_on_3478_by_default() -> None:
    assert [(one.transport.value, one.bind) for one in TurnConf().interfaces] == [
        ("udp", ":3478"),
        ("tcp", ":3478"),
    ]


def test_the_environment_sets_it_too(load_text: Load) -> None:
    turn = load_text(
        HEADGATE_TURN_REALM="x.org",
        HEADGATE_TURN_AUTHSECRETS=SECRET,
        HEADGATE_TURN_QUOTAS_ALLOCATIONS="7",
        HEADGATE_TURN_PEERS_ALLOW="10.0.0.0/8,::1",
        HEADGATE_TURN_INTERFACES_0_TRANSPORT="udp",
        HEADGATE_TURN_INTERFACES_0_BIND=":0",
    ).configuration.own.turn
    assert (turn.realm, turn.quotas.allocations) == ("x.org", 7)
    assert len(turn.peers.allow) == 2
    assert [one.bind for one in turn.interfaces] == [":0"]
    assert load_text(HEADGATE_TURN_INTERFACES="").configuration.own.turn.interfaces == ()


def test_no_secret_is_shown(load_text: Load) -> None:
    configuration = load_text(FULL).configuration
    for text in (repr(configuration), str(configuration.own.document())):
        assert SECRET not in text
        assert "builder" not in text


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("realm: ''", "turn.realm: a realm has 1 to 128 characters, and no quote or control character"),
        ("interfaces: [{transport: sctp, bind: ':1'}]", "interfaces[0].transport: invalid transport 'sctp'"),
        ("interfaces: [{transport: udp}]", "interfaces[0].bind: is missing"),
        (
            "interfaces: [{transport: udp, bind: 'example.org:1'}]",
            "the host must be an IP address or localhost",
        ),
        (
            "interfaces: [{transport: udp, bind: ':1', external: '0.0.0.0'}]",
            "is not the address of one machine",
        ),
        ("interfaces: [{transport: udp, bind: ':1'}, {transport: udp, bind: ':1'}]", "at the same place"),
        ("relayAddresses: [example.org]", "'example.org' is no IP address"),
        ("relayAddresses: ['224.0.0.1']", "is not the address of one machine"),
        (
            "relayAddresses: [{address: '2001:db8::1', external: 203.0.113.5}]",
            "turn.relayAddresses[0]: external is of another family than address",
        ),
        ("relayPortRange: 49152", "a range of ports is text like 49152-65535, from 1024 on"),
        ("relayPortRange: 1000-2000", "a range of ports"),
        ("relayPortRange: 60000-50000", "a range of ports"),
        ("relayPortRange: 60000-70000", "a range of ports"),
        ("users: {'1700:bob': x}", "no colon"),
        ("authSecrets: [hidden]", "turn.authSecrets[0]: must have at least 16 characters"),
        ("authHTTPAddress: ftp://x", "must be a HTTP URL"),
        ("peers: {allow: [10.0.0.0/40]}", "unable to parse IP/CIDR"),
        ("peers: {alow: []}", "unknown key (did you mean 'allow'?)"),
        ("quotas: {allocations: -1}", "must be at least 0"),
        ("alternateServers: ['203.0.113.9:0']", "has no port"),
        ("relm: x", "turn.relm: unknown key (did you mean 'realm'?)"),
    ],
)
def test_mistakes(mistakes: Mistakes, text: str, mistake: str) -> None:
    (line,) = mistakes(f"turn:\n  {text}\n")
    assert mistake in line
    assert "hidden" not in line


def test_everything_has_an_effect(load_text: Load) -> None:
    text = "turn: {mobility: yes, tcpRelay: yes, interfaces: [{transport: dtls, bind: ':5349'}]}\n"
    assert load_text(text).warnings == ()
