"""The pool of relay ports (S-05, S-07)."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.turn.ports import MOST_RESERVATIONS, RESERVED, Exhausted, RelayPorts
from headgate.turn.quotas import Holder
from headgate.turn.relay import RelayAddress, RelayPort, RelayTransport
from tests.turn.relay import RelayTwin

BOB = Holder("bob", "198.51.100.7")
HERE = RelayAddress("192.0.2.1", "203.0.113.1")
THERE = RelayAddress("2001:db8::1", "2001:db8::1")


def test_every_port_once() -> None:
    ports = RelayPorts(RelayTwin(), range(50_000, 50_200))
    bound = [ports.bind(HERE) for _ in range(200)]
    assert sorted(port.port for port in bound) == list(range(50_000, 50_200))
    with pytest.raises(Exhausted):
        ports.bind(HERE)
    assert len({ports.bind(THERE).port for _ in range(200)}) == 200
    ports.release(bound[7])
    assert ports.bind(HERE).port == bound[7].port


def test_the_next_is_not_to_be_guessed() -> None:
    """S-07: neither in sequence, nor near the one before."""
    ports = RelayPorts(RelayTwin(), range(49_152, 65_536))
    chosen = [ports.bind(HERE).port for _ in range(2000)]
    assert len(set(chosen)) == 2000
    near = sum(abs(one - next_) <= 8 for one, next_ in itertools.pairwise(chosen))
    assert near < 20  # two expected
    middle = sum(port < 49_152 + 8192 for port in chosen)
    assert 850 < middle < 1150


def test_even() -> None:
    ports = RelayPorts(RelayTwin(), range(50_000, 50_020))
    assert {ports.bind(HERE, even=True).port % 2 for _ in range(10)} == {0}
    with pytest.raises(Exhausted):
        ports.bind(HERE, even=True)
    assert ports.bind(HERE).port % 2 == 1


def test_a_pair_and_its_reservation() -> None:
    twin = RelayTwin()
    ports = RelayPorts(twin, range(50_000, 50_100))
    first, reservation = ports.bind_pair(HERE, BOB, now=10.0)
    assert first.port % 2 == 0
    assert reservation.port.port == first.port + 1
    assert ports.deadline() == 10.0 + RESERVED
    ports.expire(10.0 + RESERVED - 0.1)
    assert ports.reservation(reservation.token) == reservation
    assert ports.take(reservation.token) == reservation
    assert ports.take(reservation.token) is None
    assert ports.take(b"") is None
    assert ports.deadline() is None
    ports.expire(1e9)
    assert ports.taken == len(twin.bound) == 2


def test_a_token_is_not_to_be_guessed() -> None:
    """S-07: whatever the ports are chosen by."""
    ports = RelayPorts(RelayTwin(), range(50_000, 60_000), random=lambda limit: 0)
    tokens = [ports.bind_pair(HERE, BOB, now=10.0)[1].token for _ in range(500)]
    for at in range(8):
        assert len({token[at] for token in tokens}) > 128  # 220 expected


def test_so_many_ports_wait_at_once() -> None:
    twin = RelayTwin()
    ports = RelayPorts(twin, range(49_152, 65_536))
    for _ in range(MOST_RESERVATIONS):
        ports.bind_pair(HERE, BOB, now=10.0)
    with pytest.raises(Exhausted):
        ports.bind_pair(HERE, BOB, now=10.0)
    assert ports.taken == len(twin.bound) == 2 * MOST_RESERVATIONS
    ports.expire(10.0 + RESERVED)
    ports.bind_pair(HERE, BOB, now=10.0)


def test_a_reservation_nobody_came_for() -> None:
    twin = RelayTwin()
    ports = RelayPorts(twin, range(50_000, 50_100))
    first, reservation = ports.bind_pair(HERE, BOB, now=0.0)
    ports.expire(RESERVED)
    assert ports.take(reservation.token) is None
    assert ports.taken == len(twin.bound) == 1
    ports.release(first)
    assert ports.taken == len(twin.bound) == 0


def test_ports_that_others_hold_are_passed_over() -> None:
    twin = RelayTwin(held_by_others=range(50_000, 50_005))
    ports = RelayPorts(twin, range(50_000, 50_010))
    assert sorted(ports.bind(HERE).port for _ in range(5)) == list(range(50_005, 50_010))
    with pytest.raises(Exhausted):
        ports.bind(HERE)
    assert ports.taken == 5


def test_no_port_has_a_descriptor_where_another_has_none() -> None:
    """It is not taken for a port that another holds: nothing else is tried, and nothing kept."""
    twin = RelayTwin()
    ports = RelayPorts(twin, range(50_000, 51_000))
    twin.descriptors = 1
    for _ in range(3):
        twin.tries = 0
        with pytest.raises(Exhausted):
            ports.bind_pair(HERE, BOB, now=0.0)
        assert (twin.tries, ports.taken, len(twin.bound), ports.deadline()) == (2, 0, 0, None)
    ports.bind(HERE)
    for even in (False, True):
        twin.tries = 0
        with pytest.raises(Exhausted):
            ports.bind(HERE, even=even)
        assert twin.tries == 1
    assert ports.taken == len(twin.bound) == 1


def test_whose_port_it_is() -> None:
    ports = RelayPorts(RelayTwin(), range(50_000, 50_010))
    port = ports.bind(HERE).port
    assert ports.has("192.0.2.1", port, transport=RelayTransport.UDP)
    assert ports.has("203.0.113.1", port, transport=RelayTransport.UDP)
    assert not ports.has("192.0.2.1", port, transport=RelayTransport.TCP)
    assert not ports.has("192.0.2.2", port, transport=RelayTransport.UDP)


@pytest.mark.parametrize("first", [50_000, 50_001])
@pytest.mark.parametrize("size", range(6))
def test_pairs_are_within_the_range(first: int, size: int) -> None:
    ports = RelayPorts(RelayTwin(), range(first, first + size))
    even = [port for port in range(first, first + size - 1) if port % 2 == 0]
    pairs = [ports.bind_pair(HERE, BOB, now=0.0) for _ in even]
    assert sorted(port.port for port, _ in pairs) == even
    assert all(reservation.port.port == port.port + 1 for port, reservation in pairs)
    with pytest.raises(Exhausted):
        ports.bind_pair(HERE, BOB, now=0.0)


def test_what_is_taken_stays_taken_when_the_range_changes() -> None:
    ports = RelayPorts(RelayTwin(), range(50_000, 50_010))
    before = [ports.bind(HERE) for _ in range(10)]
    ports.ports = range(50_005, 50_015)
    assert {ports.bind(HERE).port for _ in range(5)} == set(range(50_010, 50_015))
    for port in before:
        assert ports.has(HERE.host, port.port, transport=RelayTransport.UDP)
        ports.release(port)
    assert {ports.bind(HERE).port for _ in range(5)} == set(range(50_005, 50_010))
    with pytest.raises(Exhausted):
        ports.bind(HERE)
    assert ports.taken == 10


def test_the_last_one_is_found_wherever_it_is() -> None:
    ports = RelayPorts(RelayTwin(), range(64_536, 65_536))
    bound = [ports.bind(HERE) for _ in range(1000)]
    for port in (*random.Random(1).sample(bound, 20), *bound[:2]):
        ports.release(port)
        assert ports.bind(HERE).port == port.port


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10)), max_size=300))
def test_none_is_ever_lost(steps: list[tuple[int, int]]) -> None:
    """S-05: whatever is asked for and in whatever order, all ports come back."""
    twin = RelayTwin(held_by_others=[50_003])
    ports = RelayPorts(twin, range(50_000, 50_020))
    held: list[RelayPort] = []
    tokens: list[bytes] = []
    now = 0.0
    for what, which in steps:
        now += which
        try:
            match what:
                case 0:
                    held.append(ports.bind(HERE))
                case 1:
                    held.append(ports.bind(THERE, even=True))
                case 2:
                    first, reservation = ports.bind_pair(HERE, BOB, now=now)
                    held.append(first)
                    tokens.append(reservation.token)
                case 3 if held:
                    ports.release(held.pop(which % len(held)))
                case 4 if tokens:
                    taken = ports.take(tokens.pop())
                    if taken is not None:
                        held.append(taken.port)
                case 5:
                    ports.expire(now)
        except Exhausted:
            pass
        assert ports.taken == len(twin.bound)
    for port in held:
        ports.release(port)
    ports.expire(now + RESERVED)
    assert ports.taken == len(twin.bound) == 0


def test_neighbours_on_this_machine_do_not_make_the_pool_look_full() -> None:
    """Half of the range is somebody else's: of the pairs three quarters."""
    others = random.Random(1).sample(range(49_152, 65_536), 8192)
    ports = RelayPorts(RelayTwin(held_by_others=others), range(49_152, 65_536))
    assert len({ports.bind_pair(HERE, BOB, now=0.0)[0].port for _ in range(500)}) == 500


def test_what_an_address_is_called_now_stays_when_what_was_bound_before_goes() -> None:
    ports = RelayPorts(RelayTwin(), range(50000, 50010))
    before = ports.bind(RelayAddress("10.0.0.1", "192.0.2.1"))
    now = ports.bind(RelayAddress("10.0.0.1", "192.0.2.2"))
    ports.release(before)
    assert ports.has("192.0.2.2", now.port, transport=RelayTransport.UDP)
