from __future__ import annotations

import pytest

from headgate.core.auth import throttle
from headgate.core.auth.throttle import LIMIT, WINDOW, Throttle
from headgate.core.errors import CredentialsMissing, Denied
from tests.core.auth.conftest import Gate, request_to

USERS = [{"user": "bob", "pass": "secret", "permissions": [{"action": "read"}]}]


async def test_ten_failures_then_not_even_the_right_password(gate: Gate) -> None:
    """S-34: by address and user together."""
    gate.configure(authInternalUsers=USERS)
    for number in range(LIMIT):
        with pytest.raises(Denied):
            gate.access.known(request_to(user="bob", password=f"{number}"))
    right = {"user": "bob", "password": "secret"}
    with pytest.raises(Denied):
        gate.access.known(request_to(**right))
    assert gate.access.throttled == 1
    assert gate.access.known(request_to(**right, ip="192.0.2.2")), "elsewhere nobody is locked out"
    gate.now += WINDOW
    assert gate.access.known(request_to(**right))


async def test_success_begins_anew(gate: Gate) -> None:
    gate.configure(authInternalUsers=USERS)
    for number in range(5 * LIMIT):
        if number % (LIMIT - 1) == 0:
            assert gate.access.known(request_to(user="bob", password="secret"))
        with pytest.raises(Denied):
            gate.access.known(request_to(user="bob", password="x"))


async def test_saying_nothing_is_no_failure(gate: Gate) -> None:
    gate.configure(authInternalUsers=USERS)
    for _ in range(5 * LIMIT):
        with pytest.raises(CredentialsMissing):
            gate.access.known(request_to())
    assert gate.access.throttled == 0


def test_a_site_of_ipv6_is_one_address() -> None:
    one = Throttle(now=lambda: 0.0)
    for number in range(LIMIT):
        one.failed(ip=f"2001:db8::{number}", user="bob")
    assert one.blocks(ip="2001:db8::ffff", user="bob")
    assert not one.blocks(ip="2001:db8:0:1::1", user="bob")


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "CAPACITY", 100)
    one = Throttle(now=lambda: 0.0)
    for number in range(1000):
        one.failed(ip="192.0.2.1", user=f"u{number}")
    assert len(one) == 100


def test_what_was_never_judged_does_not_count() -> None:
    one = Throttle(now=lambda: 0.0)
    for _ in range(3 * LIMIT):
        one.failed(ip="192.0.2.1", user="bob")
        one.withdrawn(ip="192.0.2.1", user="bob")
    assert len(one) == 0
