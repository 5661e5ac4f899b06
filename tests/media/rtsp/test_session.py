"""What the log says of a session: one line when it opens, one when it closes with its reason and totals."""

from __future__ import annotations

import logging
import re

import pytest

from headgate.core.events import SessionClosed
from headgate.core.session import CloseReason
from tests.media.conftest import Open
from tests.media.rtsp.live import Client, rtp
from tests.media.rtsp.test_server import happened, session_of

OPENED = "RTSP session {} of {} opened: path 'cam', {}"
CLOSED = (
    r"RTSP session {} of {} closed: {}; path 'cam',"
    r" (\d+) packets \((\d+) bytes\) in, (\d+) \((\d+) bytes\) out, 0 lost, 0 discarded"
)
PACKETS = 5


async def test_two_lines_tell_of_it(open_server: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with (
        open_server() as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        assert (await publisher.publish()).status == 200
        answer = await reader.ask("SETUP", "cam/trackID=0", "Transport: RTP/AVP/TCP", "User-Agent: eye/1")
        assert answer.status == 200
        assert (await reader.ask("PLAY")).status == 200
        for sequence in range(PACKETS):
            publisher.frame(0, rtp(sequence))
            await reader.packet()
        feeding, reading = session_of(server, publisher), session_of(server, reader)
        server.registry.close(reading, CloseReason.KICKED)
        await reader.ended()
        await publisher.ask("TEARDOWN")
        await happened(server, SessionClosed, count=2)
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    names = [(session.id.number, session.remote) for session in (feeding, reading)]
    assert lines[0] == OPENED.format(*names[0], "unnamed client")
    assert lines[1] == OPENED.format(*names[1], "eye/1")
    kicked = re.fullmatch(
        CLOSED.format(names[1][0], re.escape(str(names[1][1])), CloseReason.KICKED), lines[2]
    )
    left = re.fullmatch(
        CLOSED.format(names[0][0], re.escape(str(names[0][1])), CloseReason.GOODBYE), lines[3]
    )
    assert kicked
    assert left
    assert int(left[1]) == int(kicked[3]) == PACKETS
    assert int(kicked[4]) >= PACKETS * len(rtp(0)) <= int(left[2])
    assert len(lines) == 4
