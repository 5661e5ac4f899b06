"""A server with HTTPS whose certificate is renewed under it, in the event loop that it is run with."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from websockets.sync.client import ClientConnection, connect

from tests.core.authority import Authority, Pair
from tests.journeys.gate import Gate, settings

PATIENCE = 15.0  # seconds


@pytest.fixture
def authority() -> Authority:
    return Authority()


def shown(port: int, authority: Authority) -> int:
    """The serial number of what a new client is shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
        authority.context().wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number


@contextmanager
def come(port: int, authority: Authority) -> Iterator[ClientConnection]:
    url = f"wss://127.0.0.1:{port}/ws"
    with connect(url, ssl=authority.context(), proxy=None, compression=None) as one:
        assert json.loads(one.recv(PATIENCE))["Data"]["Type"] == "Self"
        yield one


def test_a_renewed_certificate_and_a_call_that_goes_on(tmp_path: Path, authority: Authority) -> None:
    first, second = authority.issue(), authority.issue()
    first.write(tmp_path)
    files = {"serverCert": str(tmp_path / "server.crt"), "serverKey": str(tmp_path / "server.key")}
    rooms = {"address": "127.0.0.1:0", "encryption": True, **files}
    with Gate.open(tmp_path, settings(rooms=rooms)) as gate:
        port = gate.port("Rooms", transport="TLS")
        assert shown(port, authority) == first.serial
        with come(port, authority) as one:
            Pair(second.chain, first.key, 0).replace(tmp_path)
            gate.says("the certificate stays as it is")
            assert shown(port, authority) == first.serial
            second.replace(tmp_path)
            gate.says("Rooms: a new certificate, until ")
            assert shown(port, authority) == second.serial
            one.send('{"Type": "Alive", "Alive": {"Alive": 1}}')
            assert json.loads(one.recv(PATIENCE))["Data"] == {"Type": "Alive", "Alive": 1}
            with come(port, authority):
                gate.says("opened: user ''")
