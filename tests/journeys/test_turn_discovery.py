"""Behaviour discovery (RFC 5780) by coturn's programs, over two addresses with two ports each."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import relay
from tests.journeys.turn_client import TurnClient
from tests.journeys.turnutils import run

HOSTS = ("127.0.0.1", "127.0.0.2")
TRIES = 100


def free_on_both() -> int:
    """A port that is nobody's at either address."""
    for _ in range(TRIES):
        with ExitStack() as stack:
            first, second = (
                stack.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))) for _ in HOSTS
            )
            first.bind((HOSTS[0], 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((HOSTS[1], port))
            except OSError:
                continue
            return port
    pytest.fail("no port is free at both addresses")


@pytest.fixture(scope="module")
def discoverable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gate, int, int]]:
    ports = free_on_both(), free_on_both()
    interfaces = [
        {"transport": "udp", "bind": f"{host}:{port}"} for host, port in itertools.product(HOSTS, ports)
    ]
    section = relay(interfaces=interfaces)
    with Gate.open(tmp_path_factory.mktemp("discovery"), settings(rtsp=False, turn=section)) as gate:
        yield gate, *ports


def test_what_kind_of_nat_there_is(discoverable: tuple[Gate, int, int]) -> None:
    """There is none, and nothing filters: every answer must have come, from where it was asked for."""
    gate, port, _ = discoverable
    text = run("turnutils_natdiscovery", "-m", "-f", "-p", str(port), HOSTS[0])
    assert "Endpoint Independent Mapping" in text, text
    assert "Endpoint Independent Filtering" in text, text
    assert gate.running


def test_answers_from_elsewhere(discoverable: tuple[Gate, int, int]) -> None:
    """Its first question is a bare header, whose answer has no room for RESPONSE-ORIGIN: it can only be the
    address that was asked. Its last has PADDING, which we refuse.
    """
    _, port, other = discoverable
    for _ in range(TRIES):
        text = run("turnutils_stunclient", "-f", "-p", str(port), HOSTS[0], accept=(0, 255))
        if "Address already in use" not in text:  # it takes the port behind its own, whosever that is
            break
    assert f"Other addr: : {HOSTS[1]}:{other}" in text, text
    assert f"Response origin: : {HOSTS[1]}:{other}" in text, text
    assert "error 420" in text, text


def test_no_answer_is_loud(discoverable: tuple[Gate, int, int]) -> None:
    """S-06: with all that discovery adds 44 bytes for 20, 2.2 times as many."""
    _, port, _ = discoverable
    for attributes in ((), ((int(Attribute.CHANGE_REQUEST), bytes(4)),)):
        with TurnClient(port, source="127.10.10.12") as client:
            asked = client.build(Method.BINDING, *attributes)
            client.send(asked)
            answer = client.receive()
            assert Attribute.OTHER_ADDRESS in Message(answer).attributes
            assert len(answer) <= 2.2 * len(asked)
