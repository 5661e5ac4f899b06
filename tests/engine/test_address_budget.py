from __future__ import annotations

import pytest

from headgate.engine import AddressBudget

BURST = 5  # seconds' worth


def test_a_burst_and_then_the_rate() -> None:
    budget = AddressBudget(per_second=10)
    admitted = sum(budget.admits("198.51.100.7", now=0.0) for _ in range(1000))
    assert admitted == 10 * BURST
    assert budget.refused == 1000 - admitted
    assert sum(budget.admits("198.51.100.7", now=1.0) for _ in range(100)) == 10
    assert budget.admits("198.51.100.8", now=1.0)


def test_another_rate_holds_from_then_on() -> None:
    budget = AddressBudget(per_second=0)
    assert all(budget.admits("198.51.100.7", now=0.0) for _ in range(10_000))
    budget.per_second = 1
    assert sum(budget.admits("198.51.100.7", now=0.0) for _ in range(100)) == BURST


def test_a_site_of_ipv6_is_one() -> None:
    budget = AddressBudget(per_second=1)
    admitted = sum(budget.admits(f"2001:db8::{number:x}", now=0.0) for number in range(1, 200))
    assert admitted == BURST
    assert budget.admits("2001:db8:0:1::1", now=0.0)


def test_a_host_is_an_address() -> None:
    with pytest.raises(ValueError, match="example"):
        AddressBudget(per_second=1).admits("example.org", now=0.0)
