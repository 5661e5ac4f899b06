from __future__ import annotations

from dataclasses import dataclass

import argon2
import pytest

from headgate.core.auth import throttle
from headgate.core.auth.throttle import LIMIT, WINDOW, Throttle
from headgate.core.errors import CredentialsMissing, Denied
from tests.core.auth.conftest import Gate, request_to
from tests.core.auth.servers import Backend, serve

USERS = [{"user": "bob", "pass": "secret", "permissions": [{"action": "read", "path": "cam"}]}]
ARGON2ID = "argon2:" + argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("secret")


@dataclass(frozen=True)
class Proof:
    """A Digest, in short."""

    password: str
    user: str = "bob"

    def proves(self, *, password: str) -> bool:
        return password == self.password


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


NOT_BOBS: list[dict[str, object]] = [
    {"action": "publish"},
    {"action": "read", "path": "other"},
    {"action": "api"},
]


@pytest.mark.parametrize("password", ["secret", ARGON2ID], ids=["at hand", "hashed"])
async def test_what_a_user_may_not_do_is_no_failed_login(gate: Gate, password: str) -> None:
    """Only wrong credentials count: whoever is refused one thing may go on with the others."""
    gate.configure(authInternalUsers=[{**USERS[0], "pass": password}])
    for number in range(3 * LIMIT):
        with pytest.raises(Denied):
            await gate.ask(request_to(**NOT_BOBS[number % 3], user="bob", password="secret"))
    assert gate.access.throttled == 0
    assert sum(gate.access.denials.values()) == 3 * LIMIT
    assert (await gate.ask(request_to(user="bob", password="secret"))).user == "bob"


async def test_nor_is_it_with_a_digest(gate: Gate) -> None:
    gate.configure(authInternalUsers=USERS)
    for _ in range(3 * LIMIT):
        with pytest.raises(Denied):
            gate.access.known(request_to("publish", proof=Proof("secret")))
    assert gate.access.known(request_to(proof=Proof("secret")))
    for _ in range(LIMIT):
        with pytest.raises(Denied):
            gate.access.known(request_to(proof=Proof("wrong")))
    with pytest.raises(Denied):
        gate.access.known(request_to(proof=Proof("secret")))
    assert gate.access.throttled == 1


async def test_guesses_count_whatever_they_ask_for(gate: Gate) -> None:
    gate.configure(authInternalUsers=USERS)
    for number in range(LIMIT):
        with pytest.raises(Denied):
            gate.access.known(request_to(**NOT_BOBS[number % 3], user="bob", password=f"{number}"))
    with pytest.raises(Denied):
        gate.access.known(request_to(user="bob", password="secret"))
    assert gate.access.throttled == 1


async def test_nor_where_another_server_knows_the_user(gate: Gate) -> None:
    """It says 403, and once that may have been a guess; with the same password again it was none."""
    backend = Backend()
    backend.decide = lambda asked: 200 if asked["action"] == "read" else 403
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        for number in range(3 * LIMIT):
            with pytest.raises(Denied):
                await gate.ask(request_to("publish", f"p{number}", user="bob", password="secret"))
        assert (gate.access.throttled, len(backend.asked)) == (0, 3 * LIMIT)
        assert (await gate.ask(request_to(user="bob", password="secret"))).user == "bob"


@pytest.mark.parametrize("status", [401, 403])
async def test_but_each_password_that_another_server_refuses_counts(gate: Gate, status: int) -> None:
    backend = Backend()
    backend.decide = lambda asked: 200 if asked["password"] == "secret" else status
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        for number in range(2 * LIMIT):
            with pytest.raises(Denied):
                await gate.ask(request_to(user="bob", password=f"{number}"))
        assert (gate.access.throttled, len(backend.asked)) == (LIMIT, LIMIT)
        with pytest.raises(Denied):
            await gate.ask(request_to(user="bob", password="secret"))


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
