"""The interfaces of this machine that multicast can go out by."""

from __future__ import annotations

import fcntl
import socket
import struct

__all__ = ["multicast_interfaces"]

# ioctls and flags of netdevice(7); Python has no names for them.
SIOCGIFFLAGS = 0x8913
SIOCGIFADDR = 0x8915
IFF_UP = 0x1
IFF_MULTICAST = 0x1000


def multicast_interfaces() -> list[str]:
    """An IPv4 address of each that is up and can multicast, in the system's order.

    The loopback interface cannot, unless somebody told it to (`ip link set lo multicast on`).
    """
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            try:
                flags = struct.unpack_from("16xH", fcntl.ioctl(asking, SIOCGIFFLAGS, request))[0]
                if flags & IFF_UP and flags & IFF_MULTICAST:
                    answer = fcntl.ioctl(asking, SIOCGIFADDR, request)
                    found.append(socket.inet_ntoa(answer[20:24]))
            except OSError:
                continue  # gone since it was listed, or without an IPv4 address
    return found
