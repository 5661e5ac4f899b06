"""coturn's client in our relay, as an operator with turn-rs's API sees it, and shuts it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.journeys.gate import Gate, settings
from tests.journeys.program import PATIENCE, Stage, require
from tests.journeys.turnutils import PASSWORD, USER

RELAY = {
    "interfaces": [{"transport": transport, "bind": "127.0.0.1:0"} for transport in ("udp", "tcp")],
    "users": {USER: PASSWORD},
    "authSecrets": ["a secret of sixteen or more"],
    "peers": {"allow": ["127.0.0.0/8"]},
    "compatibleChannels": True,
}


@pytest.mark.parametrize(("transport", "over"), [("UDP", ()), ("TCP", ("-t",))])
def test_a_client_is_seen_and_shut(tmp_path: Path, transport: str, over: tuple[str, ...]) -> None:
    require("turnutils_uclient")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
        Gate.open(tmp_path, settings(rtsp=False, turn=RELAY)) as gate,
    ):
        peer.bind(("127.0.0.1", 0))
        port, sink = str(gate.port("TURN", transport=transport)), str(peer.getsockname()[1])
        command = ["turnutils_uclient", "-p", port, "-u", USER, "-w", PASSWORD, "-c", "-n", "10000", *over]
        with subprocess.Popen(
            [*command, "-e", "127.0.0.1", "-r", sink, "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        ) as client:
            try:
                bound = gate.events.wait("relay.channelBound", transport=transport, peer=f"127.0.0.1:{sink}")
                place = {name: str(bound[name]) for name in ("address", "interface")}
                (session,) = gate.http.get("/session", params=place).json()
                assert session["username"] == USER
                assert bound["channel"] in session["channels"]
                assert int(sink) in session["permissions"]
                assert session["transport"] == {"UDP": 0, "TCP": 1}[transport]
                assert gate.get("/info")["port_allocated"] >= 1
                statistics = gate.http.get("/session/statistics", params=place).json()
                assert statistics["received_pkts"] > 0

                assert gate.http.delete("/session", params=place).status_code == 200
                gate.events.wait("relay.closed", address=place["address"])
                assert gate.http.get("/session", params=place).status_code == 404
                assert gate.http.delete("/session", params=place).status_code == 404
                text = gate.http.get("/metrics").text
                assert (
                    f'headgate_turn_client_packets_received_total{{transport="{transport.lower()}"}}' in text
                )
            finally:
                client.kill()


def test_a_minted_credential_serves_coturns_client(tmp_path: Path, stage: Stage) -> None:
    require("turnutils_uclient")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
        Gate.open(tmp_path, settings(rtsp=False, turn=RELAY)) as gate,
    ):
        peer.bind(("127.0.0.1", 0))
        made = gate.http.post("/relay/credentials", json={"user": "ann", "ttl": 600}).json()
        port, sink = str(gate.port("TURN", transport="UDP")), str(peer.getsockname()[1])
        # Nobody answers what it sends, for which it would wait for long.
        stage.start(
            *("turnutils_uclient", "-p", port, "-u", made["username"], "-w", made["password"]),
            *("-c", "-n", "1", "-e", "127.0.0.1", "-r", sink, "127.0.0.1"),
        )
        assert gate.events.wait("relay.allocated")["username"] == made["username"]
        peer.settimeout(PATIENCE)
        assert peer.recv(2048), "through the relay"
        assert made["password"] not in gate.log
