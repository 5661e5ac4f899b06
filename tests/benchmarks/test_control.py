"""The journey of the control API, against a whole server: what it calls is there."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import control
from benchmarks.control import ControlRow, ControlRun, control_table, put_control_on
from benchmarks.server import Running, Server, ServerError
from headgate.server import Server as Headgate
from tests.media.conftest import configuration


async def test_every_call_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATHS", 20)
    async with Headgate(configuration(api=True, api_address="127.0.0.1:0")) as headgate:
        assert headgate.operator is not None
        running = Running.__new__(Running)
        object.__setattr__(running, "api_port", headgate.operator.port)
        run = await asyncio.to_thread(put_control_on, running)
        assert len(headgate.configuration.paths) == 21
        assert run.add > 0
        with pytest.raises(ServerError, match="path already exists"):
            await asyncio.to_thread(put_control_on, running)


def test_the_table_says_what_is_missed() -> None:
    server = Server(name="headgate", version="1", prepare=lambda _: ())
    text = control_table([ControlRow(server, [ControlRun(1.5, 6.0, 7, 8), ControlRun(1.0, 9.0, 7, 8)])])
    assert "| 1.2 | 7.5 | 7.0 | 8.0 | add ≤ 2 ms; list ≤ 5 ms | no: list |" in text
    assert control_table([]) == ""
