"""A line in the log when a session opens, and one when it closes, with where it was and what it moved."""

from __future__ import annotations

import logging

import pytest

from headgate.core.events import SessionClosed
from headgate.core.log_form import TextForm
from headgate.core.session import CloseReason
from tests.rooms.conftest import Open, Wing
from tests.rooms.test_accounts import SHARED, login

LOGGER = "headgate.rooms.diary"


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


async def test_from_the_first_line_to_the_last(wing: Wing, caplog: pytest.LogCaptureFixture) -> None:
    one = await wing.caller(user_agent_header="Test/1.0")
    (session,) = wing.registry.sessions()
    begin = f"Rooms session {session.id.number} of {session.remote} "
    assert lines(caplog) == [begin + "opened: user '', Test/1.0"]
    await one.hello("tea")
    await one.silence()
    wing.registry.close(session, CloseReason.KICKED)
    received, sent, documents_in, documents_out = session.traffic  # type: ignore[attr-defined]
    assert (documents_in, documents_out) == (2, 3)
    assert lines(caplog)[1:] == [
        begin + "closed: kicked by an operator; user '', room 'Room:tea',"
        f" 2 documents ({received} bytes) in, 3 ({sent} bytes) out"
    ]
    (closed,) = [e.event for e in wing.registry.bus.since(0) if isinstance(e.event, SessionClosed)]
    assert closed.target == "Room:tea"


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, CloseReason.GOODBYE), (1001, CloseReason.GOODBYE), (None, CloseReason.PEER)]
)
async def test_how_it_ended(
    wing: Wing, caplog: pytest.LogCaptureFixture, code: int | None, reason: CloseReason
) -> None:
    one, watcher = await wing.callers(2)
    await one.hello()
    await watcher.hello()
    await one.next("Joined")
    if code is None:
        one.socket.transport.abort()
    else:
        await one.socket.close(code)
    await watcher.next("Left")
    assert f" closed: {reason}; " in lines(caplog)[-1]


async def test_what_a_client_says_makes_no_line(open_rooms: Open, caplog: pytest.LogCaptureFixture) -> None:
    """S-09."""
    async with open_rooms(**SHARED) as wing:
        ann = await login(wing, "%s%n'; DROP TABLE rooms;--")
        assert (await ann.hello("../$(id) <b>"))["Type"] == "Welcome"
        await wing.caller(user_agent_header="evil\x852026-11-21 INFO a line of its own\x9b31m")
        for session in wing.registry.sessions():
            wing.registry.close(session, CloseReason.KICKED)
    assert len(lines(caplog)) == 4
    form = TextForm()
    written = [form.format(record) for record in caplog.records if record.name == LOGGER]
    assert not any(set(line) & set("\n\r\x85\x9b") for line in written)
    assert "user '%s%n'; DROP TABLE rooms;--', room 'Room:../$(id) <b>'" in written[2]
    assert "evil\\x852026" in written[1]
