"""coturn's own client through our relay, in the modes of turn.md section 3: nothing is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.gate import Gate, settings
from tests.journeys.turnutils import PASSWORD, SECRET, USER, peer, run, uclient

COUNT = ("-n", "20")
CALL = ("-y", "-n", "40", "-m", "4", "-l", "170", "-z", "15")


def relay(**changes: object) -> dict[str, object]:
    """The section `turn` of a journey."""
    places = [("udp", "127.0.0.1:0"), ("tcp", "127.0.0.1:0"), ("udp", "[::1]:0")]
    return {
        "interfaces": [{"transport": transport, "bind": bind} for transport, bind in places],
        "relayAddresses": ["127.0.0.1", "::1"],
        "users": {USER: PASSWORD},
        "authSecrets": [SECRET],
        "peers": {"allow": ["127.0.0.0/8", "::1"]},
        "compatibleChannels": True,  # Debian's client binds channels up to 0x7FFF
        **changes,
    }


@pytest.fixture(scope="module")
def relaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Gate.open(tmp_path_factory.mktemp("relay"), settings(rtsp=False, turn=relay())) as gate:
        yield gate


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Two neighbouring ports that echo."""
    while True:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as first:
            first.bind(("::", 0))
            port = first.getsockname()[1]
        if port % 2 == 0:
            break
    with peer(tmp_path_factory.mktemp("peer"), port):
        yield port


def ports(gate: Gate) -> dict[tuple[str, str], int]:
    """By transport and host."""
    listeners = gate.get("/v1/services/TURN")["data"]["attributes"]["listeners"]
    parameters = [listener["attributes"]["parameters"] for listener in listeners]
    return {(each["transport"], each["address"]): int(each["port"]) for each in parameters}


MODES = {
    "channels": ("-X", "-g"),
    "channels without RTCP": ("-c",),
    "Send": ("-s", "-c"),
    "two families": ("-Z", "-c"),
    "padding and more requests": ("-D", "-G", "-c"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_to_a_peer_and_back(relaying: Gate, echo: int, transport: str, mode: str) -> None:
    over = ("-t",) if transport == "TCP" else ()
    arguments = (*over, *MODES[mode], *COUNT, "-e", "127.0.0.1", "-r", str(echo))
    lost, sent, received = uclient(*arguments, port=ports(relaying)[transport, "127.0.0.1"])
    assert lost == 0
    assert sent == received > 0


@pytest.mark.parametrize("server", ["127.0.0.1", "::1"])
def test_to_a_peer_of_ipv6(relaying: Gate, echo: int, server: str) -> None:
    arguments = ("-x", "-c", *COUNT, "-e", "::1", "-r", str(echo))
    lost, sent, received = uclient(*arguments, port=ports(relaying)["UDP", server], server=server)
    assert lost == 0
    assert sent == received > 0


@pytest.mark.parametrize("method", ["channels", "Send"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ports_wanted", ["even and the next", "any"])
def test_client_to_client(relaying: Gate, transport: str, method: str, ports_wanted: str) -> None:
    arguments = [*CALL]
    arguments += ["-t"] if transport == "TCP" else []
    arguments += ["-s"] if method == "Send" else []
    arguments += ["-c"] if ports_wanted == "any" else []
    lost, sent, received = uclient(*arguments, port=ports(relaying)[transport, "127.0.0.1"])
    assert lost == 0
    assert sent == received > 0


def test_time_limited_credentials(relaying: Gate, echo: int) -> None:
    login = ("-u", USER, "-W", SECRET)
    arguments = ("-c", *COUNT, "-e", "127.0.0.1", "-r", str(echo))
    lost, sent, received = uclient(*arguments, port=ports(relaying)["UDP", "127.0.0.1"], login=login)
    assert lost == 0
    assert sent == received > 0


def test_a_client_that_goes_suddenly_leaves_nothing(relaying: Gate, echo: int) -> None:
    arguments = ("-t", "-B", "-c", "-n", "5", "-e", "127.0.0.1", "-r", str(echo))
    port = str(ports(relaying)["TCP", "127.0.0.1"])
    run("turnutils_uclient", "-p", port, "-u", USER, "-w", PASSWORD, *arguments, "127.0.0.1", accept=(0, 255))
    assert relaying.running


def test_stun(relaying: Gate) -> None:
    text = run("turnutils_stunclient", "-p", str(ports(relaying)["UDP", "127.0.0.1"]), "127.0.0.1")
    assert "UDP reflexive addr: 127.0.0.1:" in text


def test_the_relay_does_not_reach_inside(tmp_path: Path) -> None:
    """S-01 with the shipped policy: a canary on the loopback interface hears nothing."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as canary,
        Gate.open(tmp_path, settings(rtsp=False, turn=relay(peers={}, relayAddresses=["127.0.0.2"]))) as gate,
    ):
        canary.bind(("127.0.0.1", 0))
        canary.settimeout(0)
        port = str(ports(gate)["UDP", "127.0.0.1"])
        for method in ((), ("-s",)):
            text = run(
                *("turnutils_uclient", "-p", port, "-u", USER, "-w", PASSWORD, "-c", "-n", "5", *method),
                *("-e", "127.0.0.1", "-r", str(canary.getsockname()[1]), "127.0.0.1"),
                accept=(0, 255),
            )
            assert "error 403" in text
        with pytest.raises(BlockingIOError):
            canary.recv(1)
