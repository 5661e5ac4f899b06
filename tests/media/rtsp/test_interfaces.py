"""The interfaces multicast goes out by, as the machine that runs the test has them."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from headgate.media.rtsp.interfaces import multicast_interfaces

IFF_UP_AND_MULTICAST = 0x1001


def test_those_that_are_up_and_can() -> None:
    able = [
        name
        for _, name in socket.if_nameindex()
        if int(Path(f"/sys/class/net/{name}/flags").read_text(), 16) & 0x1001 == IFF_UP_AND_MULTICAST
    ]
    found = multicast_interfaces()
    assert len(found) <= len(able)  # some may have no IPv4 address
    assert all(ipaddress.IPv4Address(address) for address in found)
