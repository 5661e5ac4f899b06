from __future__ import annotations

import pytest

from headgate.turn.budget import BURST, Budget, _site


def test_a_burst_and_then_the_rate() -> None:
    budget = Budget(per_second=10)
    admitted = sum(budget.admits("198.51.100.7", now=0.0) for _ in range(1000))
    assert admitted == 10 * BURST
    assert budget.refused == 1000 - admitted
    assert sum(budget.admits("198.51.100.7", now=1.0) for _ in range(100)) == 10
    assert budget.admits("198.51.100.8", now=1.0)


def test_no_limit() -> None:
    budget = Budget(per_second=0)
    assert all(budget.admits("198.51.100.7", now=0.0) for _ in range(10_000))


def test_a_site_of_ipv6_is_one() -> None:
    budget = Budget(per_second=1)
    admitted = sum(budget.admits(f"2001:db8::{number:x}", now=0.0) for number in range(1, 200))
    assert admitted == BURST


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("2001:db8::1", "2001:db8:0:0"),
        ("2001:db8:1:2:3::", "2001:db8:1:2"),
        ("::1", "0:0:0:0"),
        ("::1:2:3:4:5", "0:0:0:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4"),
        ("1::", "1:0:0:0"),
    ],
)
def test_the_first_64_bits(host: str, site: str) -> None:
    assert _site(host) == site
