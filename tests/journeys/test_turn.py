"""coturn's own client through our relay, in the modes of turn.md section 3: nothing is lost."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.journeys.gate import Gate, settings
from tests.journeys.program import require
from tests.journeys.turnutils import PASSWORD, SECRET, USER, Tally, peer, run, uclient

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
        "tcpRelay": True,
        "mobility": True,
        "compatibleChannels": True,  # Debian's client binds channels up to 0x7FFF
        **changes,
    }


@pytest.fixture(scope="module")
def relaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    require("openssl")
    directory = tmp_path_factory.mktemp("relay")
    key, certificate = directory / "server.key", directory / "server.crt"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", certificate),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    section = relay()
    assert isinstance(section["interfaces"], list)
    section["interfaces"].append({"transport": "tcp", "bind": "[::1]:0"})
    section["interfaces"] += [
        {"transport": transport, "bind": bind, "cert": str(certificate), "key": str(key)}
        for transport in ("tls", "dtls")
        for bind in ("127.0.0.1:0", "[::1]:0")
    ]
    with Gate.open(directory, settings(rtsp=False, turn=section)) as gate:
        yield gate
        assert gate.running, gate.log


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


OVER: dict[str, tuple[str, ...]] = {"UDP": (), "TCP": ("-t",), "TLS": ("-t", "-S"), "DTLS": ("-S",)}
MODES: dict[str, tuple[str, ...]] = {
    "channels": ("-X", "-g"),
    "channels without RTCP": ("-c",),
    "Send": ("-s", "-c"),
    "two families": ("-Z", "-c"),
    "padding and more requests": ("-D", "-G", "-c"),
}
CALLS: dict[str, tuple[str, ...]] = {
    "even ports": (),
    "even ports, Send": ("-s",),
    "any port": ("-c",),
    "any port, Send": ("-s", "-c"),
}


def together(runs: Mapping[str, Callable[[], Tally]]) -> dict[str, Tally]:
    """Each takes seconds, which it sleeps through."""
    with ThreadPoolExecutor(len(runs)) as pool:
        futures = {name: pool.submit(each) for name, each in runs.items()}
        return {name: future.result() for name, future in futures.items()}


def check(tallies: dict[str, Tally]) -> None:
    """Nothing is lost, and what came back is as much as was sent."""
    assert {name: lost for name, (lost, _, _) in tallies.items()} == dict.fromkeys(tallies, 0)
    assert [name for name, (_, sent, received) in tallies.items() if sent != received or not sent] == []


@pytest.mark.parametrize("transport", OVER)
def test_to_a_peer_and_back(relaying: Gate, echo: int, transport: str) -> None:
    port = ports(relaying)[transport, "127.0.0.1"]
    there = (*OVER[transport], *COUNT, "-e", "127.0.0.1", "-r", str(echo))
    check(together({name: partial(uclient, *mode, *there, port=port) for name, mode in MODES.items()}))


def test_where_no_client_comes_over_udp(echo: int, tmp_path: Path) -> None:
    """A firewall may let TCP through alone; peers are heard over UDP all the same."""
    interfaces = [{"transport": "tcp", "bind": "127.0.0.1:0"}]
    with Gate.open(tmp_path, settings(rtsp=False, turn=relay(interfaces=interfaces))) as gate:
        there = ("-t", "-c", *COUNT, "-e", "127.0.0.1", "-r", str(echo))
        check({"TCP alone": uclient(*there, port=ports(gate)["TCP", "127.0.0.1"])})


def test_to_a_peer_of_ipv6(relaying: Gate, echo: int) -> None:
    """From clients of both families, over every transport."""
    there = ("-x", "-c", *COUNT, "-e", "::1", "-r", str(echo))
    bound = ports(relaying)
    check(
        together(
            {
                f"{transport} at {host}": partial(
                    uclient, *over, *there, port=bound[transport, host], server=host
                )
                for transport, over in OVER.items()
                for host in ("127.0.0.1", "::1")
            }
        )
    )


@pytest.mark.parametrize("transport", OVER)
def test_client_to_client(relaying: Gate, transport: str) -> None:
    port = ports(relaying)[transport, "127.0.0.1"]
    over = (*OVER[transport], *CALL)
    check(together({name: partial(uclient, *call, *over, port=port) for name, call in CALLS.items()}))


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
def test_client_to_client_over_tcp(relaying: Gate, transport: str) -> None:
    """RFC 6062: Connect, ConnectionAttempt and ConnectionBind."""
    arguments = ("-T", *(("-S",) if transport == "TLS" else ()), "-y", "-n", "20", "-m", "2", "-z", "5")
    tally = uclient(*arguments, port=ports(relaying)[transport, "127.0.0.1"])
    check({"RFC 6062": tally})


# Over TLS and DTLS this client breaks off or crashes as it moves, with coturn's own server as well (11
# times of 12): `test_turn_moving.py` moves over TLS, the engine's tests over DTLS.
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_allocations_move(relaying: Gate, transport: str) -> None:
    """RFC 8016: every client comes back with its ticket over another socket before it sends anything."""
    port = ports(relaying)[transport, "127.0.0.1"]
    check({"RFC 8016": uclient("-M", *OVER[transport], *CALL, port=port)})


def test_time_limited_credentials(relaying: Gate, echo: int) -> None:
    login = ("-u", USER, "-W", SECRET)
    arguments = ("-c", *COUNT, "-e", "127.0.0.1", "-r", str(echo))
    check({"": uclient(*arguments, port=ports(relaying)["UDP", "127.0.0.1"], login=login)})


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


def test_the_file_opens_another_interface_beside_those_there_are(tmp_path: Path) -> None:
    udp = {"transport": "udp", "bind": "127.0.0.1:0"}
    with Gate.open(tmp_path, settings(rtsp=False, turn=relay(interfaces=[udp]))) as gate:
        before = ports(gate)
        changed = relay(interfaces=[udp, {"transport": "tcp", "bind": "127.0.0.1:0"}])
        YAML().dump(settings(rtsp=False, turn=changed), tmp_path / "headgate.yml")
        assert gate.events.wait("service.moved")["service"] == "TURN"
        after = ports(gate)
        assert {key: after[key] for key in before} == before
        assert ("TCP", "127.0.0.1") in after
