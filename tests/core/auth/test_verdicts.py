from __future__ import annotations

import pytest

from headgate.core.auth import verdicts
from headgate.core.auth.circuit import PROBE_INTERVAL, THRESHOLD, Circuit
from headgate.core.auth.verdicts import Verdicts


def test_a_verdict_is_remembered_for_a_while() -> None:
    now = [0.0]
    one: Verdicts[bool] = Verdicts(lifetime=5.0, now=lambda: now[0])
    key, verdict = one.key("bob", "secret"), False
    assert one.get(key) is None
    one.put(key, verdict)
    assert one.get(key) is verdict
    now[0] = 5.0
    assert one.get(key) is None
    assert len(one) == 0


def test_keys_hold_no_secret_and_do_not_run_together() -> None:
    one: Verdicts[bool] = Verdicts(lifetime=5.0)
    other: Verdicts[bool] = Verdicts(lifetime=5.0)
    assert one.key("ab", "c") != one.key("a", "bc")
    assert one.key("a") != other.key("a")
    assert b"secret" not in one.key("secret")


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "CAPACITY", 10)
    one: Verdicts[int] = Verdicts(lifetime=5.0)
    keys = [one.key(str(number)) for number in range(20)]
    for number, key in enumerate(keys):
        one.put(key, number)
    assert len(one) == 10
    assert one.get(keys[0]) is None
    assert one.get(keys[-1]) == 19


def test_a_fuse_goes_and_comes_back() -> None:
    now = [0.0]
    circuit = Circuit(now=lambda: now[0])
    for _ in range(THRESHOLD):
        assert circuit.admits()
        circuit.failed()
    assert not circuit.admits()
    now[0] += PROBE_INTERVAL
    assert [circuit.admits(), circuit.admits()] == [True, False], "one to see"
    circuit.succeeded()
    assert circuit.admits()
