from __future__ import annotations

import errno

import pytest

from headgate.core.binding import bind
from headgate.core.errors import ListenError


def test_without_ipv6_every_address_is_every_one_of_ipv4() -> None:
    def open_at(host: str) -> str:
        if ":" in host:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return host

    assert bind(open_at, "::", mistake="") == "0.0.0.0"
    with pytest.raises(ListenError, match=r"^RTSP: cannot listen: address family not supported by protocol$"):
        bind(open_at, "::1", mistake="RTSP: cannot listen")


def test_the_systems_reason_is_told() -> None:
    def taken(host: str) -> None:
        raise OSError(errno.EADDRINUSE, host)

    with pytest.raises(ListenError, match=r"^here: address already in use$"):
        bind(taken, "::", mistake="here")


def test_an_address_that_is_none() -> None:
    def senseless(host: str) -> None:
        raise ValueError(f"No address: {host}")

    with pytest.raises(ListenError, match=r"^here: no address: x$"):
        bind(senseless, "x", mistake="here")
