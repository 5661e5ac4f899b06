"""One participant's WebSocket: paced, kept alive, and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from headgate.core.session import CloseReason
from headgate.rooms.hub import Hub
from headgate.rooms.pace import Pace
from headgate.rooms.participant import Arrival, Participant
from headgate.rooms.websocket.frame import CloseCode, Opcode, close_frame, frame
from headgate.rooms.websocket.machine import Closing, Failure, Machine, Ping, Pong, Text

__all__ = ["Socket"]

logger = logging.getLogger(__name__)

PING_INTERVAL = 54.0  # seconds
PONG_TIMEOUT = 6.0
"""Seconds for the answer to a ping: an absent client is noticed within a minute."""
WRITE_TIMEOUT = 10.0  # seconds in which something at least must be taken
WRITE_LIMIT = 2 << 20
"""Bytes that wait while there is more for a client: two of the largest messages, or thousands of others."""
CLOSE_TIMEOUT = 2.0  # seconds for what is on its way when the connection is closed

GOODBYES = {
    CloseReason.KICKED: CloseCode.POLICY,
    CloseReason.REVOKED: CloseCode.POLICY,
    CloseReason.EXPIRED: CloseCode.POLICY,
    CloseReason.SHUTDOWN: CloseCode.GOING_AWAY,
    CloseReason.RECONFIGURED: CloseCode.GOING_AWAY,
}
"""Whoever ends for another reason hears no goodbye: nobody is there, or another has its place."""

ECHOED = {int(code): code for code in CloseCode if code not in {CloseCode.NO_STATUS, CloseCode.ABNORMAL}}


class Socket(asyncio.Protocol):
    """Takes over a connection whose handshake is done. `gone` is called once, when it is closed."""

    __slots__ = (
        "_gone",
        "_hub",
        "_loop",
        "_machine",
        "_may_return",
        "_over",
        "_pace",
        "_participant",
        "_paused",
        "_ponged",
        "_reason",
        "_stuck",
        "_stuck_size",
        "_timer",
        "_transport",
        "_waiting",
    )

    def __init__(
        self,
        hub: Hub,
        transport: asyncio.Transport,
        *,
        loop: asyncio.AbstractEventLoop,
        gone: Callable[[Socket], None],
    ) -> None:
        self._hub = hub
        self._transport = transport
        self._loop = loop
        self._gone = gone
        self._machine = Machine()
        self._pace = Pace()
        self._participant: Participant | None = None
        self._over = False
        """Nothing is said or heard any more."""
        self._reason = CloseReason.PEER
        self._may_return = True
        self._ponged = True
        self._paused = False
        self._waiting: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._stuck_size = 0
        self._timer = loop.call_later(PING_INTERVAL, self._ping)

    def begin(self, arrival: Arrival) -> None:
        """Raises Draining."""
        self._participant = self._hub.connect(arrival, self)

    # The outlet of the participant

    def send(self, frame: bytes) -> None:
        if self._over:
            return
        # Asked only while the transport says that it is full: this is called for everybody in a room.
        # And before more is added: the list of a room's 5,000 people is larger than the limit by itself.
        if self._stuck is not None and self._transport.get_write_buffer_size() > WRITE_LIMIT:
            self._cut(CloseReason.WRITE_TIMEOUT)
            return
        self._transport.write(frame)

    def close(self, reason: CloseReason) -> None:
        if self._over:
            return
        code = GOODBYES.get(reason)
        if code is None:
            self._cut(reason)
        else:
            self._say_goodbye(code, str(reason))

    def shutdown(self) -> None:
        """Called by the HTTP server when it stops."""
        self.close(CloseReason.SHUTDOWN)

    # The transport's calls

    def data_received(self, data: bytes) -> None:
        if not self._over:
            self._machine.receive(data)
            if self._waiting is None:
                self._take()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        for timer in (self._timer, self._waiting, self._stuck):
            if timer is not None:
                timer.cancel()
        self._gone(self)
        if self._participant is not None:
            self._hub.lost(self._participant, self, self._reason, may_return=self._may_return)

    def pause_writing(self) -> None:
        self._watch()

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    # What is heard

    def _take(self) -> None:
        self._waiting = None
        participant = self._participant
        machine = self._machine
        while not self._over and participant is not None and machine.waiting:
            try:
                if wait := self._pace.wait(self._loop.time()):
                    self._hold(wait)
                    return
                event = machine.next()
            except Failure as failure:
                self._reason, self._may_return = CloseReason.PROTOCOL_ERROR, False
                self._say_goodbye(failure.code, str(failure))
                return
            if event is None:
                # The rest of a message is on its way, and it counts when it is whole.
                break
            self._pace.take()
            match event:
                case Text():
                    self._follow(participant, event.text)
                case Ping(payload):
                    self._transport.write(frame(Opcode.PONG, payload))
                case Pong():
                    self._ponged = True
                case Closing(code):
                    # A client that gives up a dead socket says so with a code of its own, and this may
                    # still come, when the network does: before the client, or after it.
                    self._reason = CloseReason.GOODBYE
                    self._may_return = code > CloseCode.NO_STATUS
                    self._say_goodbye(ECHOED.get(code, CloseCode.NORMAL))
        if self._paused and not self._over:
            self._paused = False
            self._transport.resume_reading()

    def _follow(self, participant: Participant, text: bytes) -> None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                self._reason, self._may_return = CloseReason.PROTOCOL_ERROR, False
                self._say_goodbye(CloseCode.INVALID_DATA, "a text that is not UTF-8")
                return
        try:
            self._hub.receive(participant, text)
        except Exception:
            logger.exception("a bug while following %r", participant)
            self._reason, self._may_return = CloseReason.FAULT, False
            self._cut(CloseReason.FAULT)

    def _hold(self, wait: float) -> None:
        """Read nothing until the next message may be taken."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._waiting = self._loop.call_later(wait, self._take)

    # Time

    def _ping(self) -> None:
        self._ponged = False
        self._transport.write(frame(Opcode.PING, b""))
        self._timer = self._loop.call_later(PONG_TIMEOUT, self._check_pong)

    def _check_pong(self) -> None:
        if not self._ponged:
            self._cut(CloseReason.READ_TIMEOUT)
            return
        self._timer = self._loop.call_later(PING_INTERVAL, self._ping)

    def _watch(self) -> None:
        self._stuck_size = self._transport.get_write_buffer_size()
        self._stuck = self._loop.call_later(WRITE_TIMEOUT, self._check_stuck)

    def _check_stuck(self) -> None:
        if self._transport.get_write_buffer_size() < self._stuck_size:
            self._watch()
        else:
            self._cut(CloseReason.WRITE_TIMEOUT)

    # The end

    def _say_goodbye(self, code: CloseCode, text: str = "") -> None:
        self._over = True
        self._transport.write(close_frame(code, text))
        self._transport.close()
        self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _cut(self, reason: CloseReason) -> None:
        self._over = True
        if self._reason is CloseReason.PEER:
            self._reason = reason
        self._transport.abort()
