"""Nobody is led by the relay into the network it stands in (reliability S-01, S-02, S-03, S-48)."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.journeys.gate import Gate, settings
from tests.journeys.program import require
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import TCP, UDP, TurnClient, appended, error_of
from tests.turn.test_peers import INTERNAL_V4, INTERNAL_V6, embedded

RELAYS = ("127.0.0.2", "::1")
INSIDE = sorted(
    {
        *INTERNAL_V4,
        *INTERNAL_V6,
        *(form for host in ("127.0.0.1", "127.0.0.2", "169.254.169.254") for form in embedded(host)),
        "::ffff:127.0.0.1",
        "::127.0.0.1",
    }
    - set(RELAYS)
)
METHODS = (
    Method.ALLOCATE,
    Method.REFRESH,
    Method.CREATE_PERMISSION,
    Method.CHANNEL_BIND,
    Method.CONNECT,
    Method.CONNECTION_BIND,
)
TRANSPORTS = ("udp", "tcp", "tls", "dtls")
STREAMS = ("tcp", "tls")
V6 = (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"\x02\0\0\0")
BOTH = (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x02\0\0\0")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """The shipped policy, over every transport."""
    require("openssl")
    directory = tmp_path_factory.mktemp("shipped")
    key, certificate = directory / "server.key", directory / "server.crt"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", certificate),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    interfaces: list[dict[str, str]] = [{"transport": one, "bind": "127.0.0.1:0"} for one in TRANSPORTS]
    for interface in interfaces:
        if interface["transport"] in {"tls", "dtls"}:
            interface |= {"cert": str(certificate), "key": str(key)}
    section = relay(
        interfaces=interfaces,
        relayAddresses=list(RELAYS),
        peers={},
        quotas={"newAllocationsPerSecond": 0, "answersPerSecond": 0},
    )
    with Gate.open(directory, settings(rtsp=False, turn=section)) as gate:
        yield gate


PLACES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1"))
TRIES = 100


@contextlib.contextmanager
def everywhere(kind: socket.SocketKind) -> Iterator[list[socket.socket]]:
    """Bound to one port of every address of this host."""
    for _ in range(TRIES):
        with ExitStack() as stack:
            found: list[socket.socket] = []
            try:
                for family, host in PLACES:
                    one = stack.enter_context(socket.socket(family, kind))
                    one.bind((host, found[0].getsockname()[1] if found else 0))
                    one.settimeout(0)
                    found.append(one)
            except OSError:
                continue
            yield found
            return
    pytest.fail("no port is free at every address")


@pytest.fixture
def canaries() -> Iterator[list[socket.socket]]:
    """Listen where nobody may send."""
    with everywhere(socket.SOCK_DGRAM) as found:
        yield found


@pytest.fixture
def doors() -> Iterator[list[socket.socket]]:
    """Listen where nobody may connect to."""
    with everywhere(socket.SOCK_STREAM) as found:
        for door in found:
            door.listen()
        yield found


def closed(doors: list[socket.socket]) -> bool:
    """Whether nobody has come to any of them."""
    for door in doors:
        with contextlib.suppress(BlockingIOError):
            door.accept()[0].close()
            return False
    return True


def silent(canaries: list[socket.socket]) -> bool:
    for canary in canaries:
        with contextlib.suppress(BlockingIOError):
            return not canary.recv(65_536)
    return True


def port_of(gate: Gate, transport: str) -> int:
    return ports(gate)[transport.upper(), "127.0.0.1"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_inside_is_no_peer(shipped: Gate, canaries: list[socket.socket], transport: str) -> None:
    """S-01, S-02: CreatePermission, ChannelBind and Send, in every form an inner address can be written."""
    port = canaries[0].getsockname()[1]
    answers: dict[str, tuple[int | None, int | None]] = {}
    with TurnClient(port_of(shipped, transport), transport=transport) as client:
        client.allocate(BOTH)
        for host in INSIDE:
            peer = TransportAddress(host, port)
            answers[host] = client.permit(peer), client.bind(0x4000, peer)
            client.indicate(peer, b"a canary hears this")
            client.channel(0x4000, b"or this")
        assert client.refresh(0) is not None  # all that was sent before has been seen to
    assert len(answers) > 45
    assert {host: codes for host, codes in answers.items() if codes != (403, 403)} == {}
    assert silent(canaries)


@pytest.mark.parametrize("transport", STREAMS)
def test_the_inside_is_not_connected_to(shipped: Gate, doors: list[socket.socket], transport: str) -> None:
    """S-01, S-02: the same for a TCP allocation (RFC 6062), which has Connect beside CreatePermission."""
    port = doors[0].getsockname()[1]
    answers: dict[str, tuple[int | None, int | None]] = {}
    for family, relayed in zip(((), (V6,)), RELAYS, strict=True):
        with TurnClient(port_of(shipped, transport), transport=transport) as client:
            assert error_of(client.ask(Method.ALLOCATE, TCP, *family)) is None
            for host in INSIDE:
                if (":" in host) == (":" in relayed):
                    peer = TransportAddress(host, port)
                    answers[host] = client.connect(peer), client.permit(peer)
            # At the addresses that we relay from our own relayed ones alone are connected to.
            assert client.connect(TransportAddress(relayed, port)) == 403
    assert answers.keys() == set(INSIDE)
    assert {host: codes for host, codes in answers.items() if codes != (403, 403)} == {}
    assert closed(doors)


def test_a_tcp_allocation_is_for_clients_over_tcp(shipped: Gate) -> None:
    """RFC 6062 5.1: over UDP and DTLS there is none that could get past the gate."""
    for transport in ("udp", "dtls"):
        with TurnClient(port_of(shipped, transport), transport=transport) as client:
            assert error_of(client.ask(Method.ALLOCATE, TCP)) == 400
            client.allocate()
            assert client.connect(TransportAddress("8.8.8.8", 53)) == 403


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_beside_our_relayed_addresses_nobody_hears(
    shipped: Gate, canaries: list[socket.socket], transport: str
) -> None:
    """S-48: clients of ours may call each other, at addresses where databases may be listening too."""
    port = canaries[0].getsockname()[1]
    with TurnClient(port_of(shipped, transport), transport=transport) as client:
        client.allocate(BOTH)
        for number, host in enumerate(RELAYS, 0x4000):
            peer = TransportAddress(host, port)
            assert (client.permit(peer), client.bind(number, peer)) == (None, None)
            client.indicate(peer, b"a canary hears this")
            client.channel(number, b"or this")
        assert client.refresh(0) is not None
    assert silent(canaries)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Gate]:
    """Every listener there is, in a network that `turn.peers` opens."""
    wings: dict[str, object] = {
        "rooms": {"address": "127.0.0.1:0"},
        "metrics": True,
        "metricsAddress": "127.0.0.1:0",
    }
    with Gate.open(tmp_path, settings(**wings, turn=relay())) as gate:
        yield gate


def bound(gate: Gate, kind: str) -> set[int]:
    """Ports at which the server takes whatever comes, as the kernel tells."""
    sockets = psutil.Process(gate.process.pid).net_connections(kind=kind)
    return {one.laddr.port for one in sockets if not one.raddr}


def denied(gate: Gate) -> int:
    text = gate.http.get("/metrics").text
    return int(re.findall(r'headgate_turn_dropped_total\{reason="denied"\} (\d+)', text)[0])


def test_no_datagram_reaches_our_own_listeners(opened: Gate) -> None:
    """S-01: a loop would be the least that comes of it."""
    ports = bound(opened, "udp4")
    assert len(ports) == 3, "TURN, RTP and RTCP"
    before = denied(opened)
    with TurnClient(port_of(opened, "udp")) as client:
        client.allocate()
        for port in ports:
            peer = TransportAddress("127.0.0.1", port)
            assert client.permit(peer) is None
            client.indicate(peer, client.build(Method.BINDING))
            client.indicate(peer, bytes((128, 96)) + bytes(20))  # of RTP
        client.refresh(600)
        client.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.receive()
    assert denied(opened) - before == 2 * len(ports)


def test_no_connection_reaches_our_own_listeners(opened: Gate, doors: list[socket.socket]) -> None:
    """S-01: RTSP, rooms, TURN itself, and the operator's, which would take us for its operator."""
    ports = bound(opened, "tcp4")
    assert len(ports) == 5, "RTSP, rooms, TURN, the operator's and metrics"
    with TurnClient(port_of(opened, "tcp"), transport="tcp") as client:
        assert error_of(client.ask(Method.ALLOCATE, TCP)) is None
        for port in ports:
            assert client.connect(TransportAddress("127.0.0.1", port)) == 403
        # What is not ours the network's being open does open.
        assert client.connect(TransportAddress(*doors[0].getsockname())) is None
    assert not closed(doors)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", METHODS)
def test_nobody_does_anything_without_credentials(shipped: Gate, transport: str, method: Method) -> None:
    """S-02."""
    with TurnClient(port_of(shipped, transport), transport=transport) as client:
        peer = TransportAddress("8.8.8.8", 53)
        assert error_of(client.exchange(client.build(method, UDP, peers=(peer,)))) == 401


def test_what_stands_behind_the_integrity_is_not_there(shipped: Gate) -> None:
    """S-03."""
    outer, another = TransportAddress("8.8.8.8", 53), TransportAddress("1.1.1.1", 53)
    number = (int(Attribute.CHANNEL_NUMBER), struct.pack(">HH", 0x4000, 0))
    with TurnClient(port_of(shipped, "udp")) as client:
        client.allocate()

        def told(method: Method, *behind: tuple[int, bytes], peers: tuple[TransportAddress, ...]) -> Message:
            return client.exchange(appended(client.build(method, peers=peers), *behind))

        nothing = told(Method.REFRESH, (int(Attribute.LIFETIME), bytes(4)), peers=())
        assert int.from_bytes(nothing.attributes[Attribute.LIFETIME]) == 600
        assert error_of(told(Method.CHANNEL_BIND, number, peers=(outer,))) == 400
        plain = client.build(Method.CREATE_PERMISSION)
        smuggled = client.build(Method.CREATE_PERMISSION, peers=(another,))[20:32]
        peer = (int(Attribute.XOR_PEER_ADDRESS), smuggled[4:])
        assert error_of(client.exchange(appended(plain, peer))) == 400
        name = (int(Attribute.USERNAME), b"somebody else")
        assert error_of(told(Method.CREATE_PERMISSION, peer, name, peers=(outer,))) is None
        address = ":".join(map(str, client.socket.getsockname()))
    permitted = shipped.events.wait("relay.permitted", address=address)
    assert permitted["peers"] == [f"{outer.host}:{outer.port}"]


def test_two_allocations_that_point_at_each_other(shipped: Gate) -> None:
    """S-48: what is sent once is delivered once, also to oneself."""
    port = port_of(shipped, "udp")
    with TurnClient(port) as one, TurnClient(port) as other:
        first, second = one.allocate(), other.allocate()
        assert one.bind(0x4000, second) is None
        assert other.bind(0x4000, first) is None
        assert one.bind(0x4001, first) is None
        for n in range(100):
            one.channel(0x4000, b"%d" % n)
            one.channel(0x4001, b"%d" % n)
        for n in range(100):
            assert other.receive()[4:] == b"%d" % n
            assert one.receive()[4:] == b"%d" % n
        for client in (one, other):
            client.refresh(600)
            client.socket.settimeout(0)
            with pytest.raises(BlockingIOError):
                client.receive()
