"""The states of one RTSP session and which request leads where (RFC 2326 A.2).

                      ┌─ SETUP ──► READY ◄────────── SETUP
                      │              │ PLAY
                      │              ▼        PAUSE
    INIT ─────────────┤           PLAYING ◄────────► PLAY_PAUSED
      ▲               │                       PLAY
      │ TEARDOWN      └─ ANNOUNCE ─► ANNOUNCED ◄──── SETUP
      │ from anywhere                │ RECORD
      └──────────                    ▼        PAUSE
                                 RECORDING ◄───────► RECORD_PAUSED
                                              RECORD

RFC 2326 knows one Ready state; what may be set up differs on both sides of it, so it is four here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from headgate.media.rtsp.message import Method

__all__ = ["STATELESS", "TRANSITIONS", "State"]


class State(enum.Enum):
    INIT = enum.auto()
    """No session."""
    READY = enum.auto()
    """A reader that sets up its tracks."""
    PLAYING = enum.auto()
    PLAY_PAUSED = enum.auto()
    ANNOUNCED = enum.auto()
    """A publisher that sets up its tracks."""
    RECORDING = enum.auto()
    RECORD_PAUSED = enum.auto()


STATELESS = frozenset({Method.OPTIONS, Method.GET_PARAMETER, Method.SET_PARAMETER, Method.DESCRIBE})
"""Requests that are answered in every state and change none."""

TRANSITIONS: Mapping[State, Mapping[Method, State]] = {
    State.INIT: {
        Method.SETUP: State.READY,
        Method.ANNOUNCE: State.ANNOUNCED,
    },
    State.READY: {
        Method.SETUP: State.READY,
        Method.PLAY: State.PLAYING,
        Method.TEARDOWN: State.INIT,
    },
    State.PLAYING: {
        # Asked again by those that keep a session alive with it (ONVIF clients).
        Method.PLAY: State.PLAYING,
        Method.PAUSE: State.PLAY_PAUSED,
        Method.TEARDOWN: State.INIT,
    },
    State.PLAY_PAUSED: {
        Method.PLAY: State.PLAYING,
        Method.PAUSE: State.PLAY_PAUSED,
        Method.TEARDOWN: State.INIT,
    },
    State.ANNOUNCED: {
        Method.SETUP: State.ANNOUNCED,
        Method.RECORD: State.RECORDING,
        Method.TEARDOWN: State.INIT,
    },
    State.RECORDING: {
        Method.RECORD: State.RECORDING,
        Method.PAUSE: State.RECORD_PAUSED,
        Method.TEARDOWN: State.INIT,
    },
    State.RECORD_PAUSED: {
        Method.RECORD: State.RECORDING,
        Method.PAUSE: State.RECORD_PAUSED,
        Method.TEARDOWN: State.INIT,
    },
}
"""A request that is not listed for a state is answered 455 there."""
