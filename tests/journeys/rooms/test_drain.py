"""SIGTERM while people talk: they go on until they leave, and nobody new comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.journeys.gate import Gate, settings

PATIENCE = 20.0  # seconds
ROOMS = {"address": "127.0.0.1:0"}


def data(socket: ClientConnection, kind: str) -> dict[str, object]:
    """The next document of this type."""
    while True:
        found: dict[str, object] = json.loads(socket.recv(PATIENCE))["Data"]
        if found["Type"] == kind:
            return found


def draining(gate: Gate) -> None:
    gate.process.terminate()
    gate.says("sessions may go on for")
    assert gate.status("/health/ready") == 503


def test_they_go_on_until_they_leave(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings(rooms=ROOMS, drainTimeout="60s")) as gate:
        url = f"ws://127.0.0.1:{gate.port('Rooms')}/ws"
        with connect(url, proxy=None) as one, connect(url, proxy=None) as other:
            token = data(other, "Self")["Token"]
            for each in (one, other):
                each.send('{"Type": "Hello", "Hello": {"Name": "tea"}}')
                data(each, "Welcome")
            draining(gate)
            with pytest.raises(InvalidStatus) as caught, connect(url, proxy=None):
                pass
            assert caught.value.response.status_code == 503
            one.send(
                '{"Type": "Chat", "Chat": {"To": "", "Chat": {"Message": "still here", "NoEcho": true}}}'
            )
            assert data(other, "Chat")
            with connect(f"{url}?t={token}", proxy=None) as back:
                assert data(back, "Self")
        assert gate.process.wait(PATIENCE) == 0
        assert "2 sessions may go on for 60 s" in gate.log


def test_the_deadline_says_goodbye(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings(rooms=ROOMS, drainTimeout="300ms")) as gate:
        with connect(f"ws://127.0.0.1:{gate.port('Rooms')}/ws", proxy=None) as one:
            data(one, "Self")
            gate.process.terminate()
            with pytest.raises(ConnectionClosed) as caught:
                one.recv(PATIENCE)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
        assert gate.process.wait(PATIENCE) == 0
