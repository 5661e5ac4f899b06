"""A client changes its network and its transport, and keeps what it has (RFC 8016)."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.journeys.gate import Gate
from tests.journeys.test_turn import ports, relaying
from tests.journeys.turn_client import UDP, TurnClient, error_of

__all__ = ["relaying"]

PATIENCE = 10.0
NUMBER = 0x4000
TRANSPORTS = ("udp", "tcp", "tls")


@contextmanager
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(PATIENCE)
        made.bind(("127.0.0.1", 0))
        yield made


def relays(client: TurnClient, there: socket.socket, relayed: TransportAddress, count: int) -> None:
    """Both ways, in order, and nothing is lost."""
    for n in range(count):
        data = struct.pack(">I", n) * 50
        client.channel(NUMBER, data)
        assert there.recvfrom(2048) == (data, relayed)
        there.sendto(data, relayed)
        assert client.receive() == struct.pack(">HH", NUMBER, len(data)) + data


def resume(client: TurnClient, ticket: bytes) -> Message:
    return client.ask(Method.REFRESH, (int(Attribute.MOBILITY_TICKET), ticket))


@pytest.mark.parametrize(
    ("before", "after"),
    [pair for pair in itertools.product(TRANSPORTS, TRANSPORTS) if pair != ("udp", "udp")],
)
def test_from_one_transport_to_another(relaying: Gate, before: str, after: str) -> None:
    """Six times, so that it comes to every thread of the server."""
    port = {one: ports(relaying)[one.upper(), "127.0.0.1"] for one in TRANSPORTS}
    with peer() as there:
        address = TransportAddress(*there.getsockname())
        client = TurnClient(port[before], transport=before)
        answer = client.ask(Method.ALLOCATE, UDP, (int(Attribute.MOBILITY_TICKET), b""))
        assert error_of(answer) is None
        relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
        assert client.bind(NUMBER, address) is None
        relays(client, there, relayed, 20)
        for turn in range(6):
            ticket = answer.attributes[Attribute.MOBILITY_TICKET]
            moved = TurnClient(port[after], transport=after, source=f"127.0.0.{2 + turn}")
            answer = resume(moved, ticket)
            assert error_of(answer) is None
            client.socket.close()
            relays(moved, there, relayed, 20)
            client = moved
        sessions = relaying.http.get("/session", params={"address": str(address_of(client))}).json()
        assert [one["scheme"] for one in sessions] == [after]
        assert error_of(client.refresh(0)) is None
        client.socket.close()


def address_of(client: TurnClient) -> TransportAddress:
    return TransportAddress(*client.socket.getsockname())


def test_nobody_else_takes_it(relaying: Gate) -> None:
    port = {one: ports(relaying)[one.upper(), "127.0.0.1"] for one in TRANSPORTS}
    with TurnClient(port["tls"], transport="tls") as client:
        answer = client.ask(Method.ALLOCATE, UDP, (int(Attribute.MOBILITY_TICKET), b""))
        ticket = answer.attributes[Attribute.MOBILITY_TICKET]
        minted = relaying.http.post("/relay/credentials", json={"user": "eve", "ttl": 60}).json()
        for transport in TRANSPORTS:
            eve = TurnClient(
                port[transport], transport=transport, name=minted["username"], password=minted["password"]
            )
            with eve:
                assert error_of(resume(eve, ticket)) == 441
                assert error_of(resume(eve, ticket[:-1])) == 400
        assert error_of(client.refresh(0)) is None
