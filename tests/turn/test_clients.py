from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headgate.core.service import Endpoint
from headgate.turn.clients import Clients

HERE, THERE = Endpoint("192.0.2.7", 1), Endpoint("192.0.2.7", 2)


def session(remote: Endpoint) -> Any:
    return SimpleNamespace(remote=remote)


def test_two_at_one_address() -> None:
    clients = Clients()
    one, other = session(HERE), session(HERE)
    clients.add(one)
    clients.add(other)
    assert clients.at(HERE) == (one, other)
    assert clients.at(THERE) == ()
    clients.remove(one)
    assert clients.at(HERE) == (other,)


def test_nothing_stays_of_who_has_gone() -> None:
    clients = Clients()
    one = session(HERE)
    clients.add(one)
    clients.remove(one)
    clients.remove(one)
    assert len(clients) == 0


def test_one_that_moves() -> None:
    clients = Clients()
    one = session(HERE)
    clients.add(one)
    clients.remove(one)
    one.remote = THERE
    clients.add(one)
    assert (clients.at(HERE), clients.at(THERE)) == ((), (one,))
