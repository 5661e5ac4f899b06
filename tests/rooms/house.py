"""A hub with a clock that the test turns, and outlets that only note."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.events import Bus
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason
from headgate.engine import Engine
from headgate.rooms.hub import Hub
from headgate.rooms.identity import Identity
from headgate.rooms.participant import Arrival, Participant
from headgate.rooms.pictures import Pictures, decode_picture
from headgate.rooms.secrets import Secrets

__all__ = ["HERE", "House", "Outlet"]

HERE = Endpoint("127.0.0.1", 8080)


class Outlet:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: CloseReason | None = None

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def close(self, reason: CloseReason) -> None:
        self.closed = reason

    def documents(self) -> list[dict[str, Any]]:
        """What came since the last look."""
        frames, self.frames = self.frames, []
        return [json.loads(frame[frame.index(b'{"') :])["Data"] for frame in frames]


class House:
    def __init__(self, engine: Engine, **settings: Any) -> None:
        self.time = 1000.0
        self.registry = Registry(engine=engine, bus=Bus())
        service = Service(name="Rooms", protocol=Protocol.ROOMS, router="rooms", started=datetime.now(UTC))
        self.registry.add_service(service, [(HERE, "TCP")])
        conf = RoomsConf.model_validate(settings)

        def decode(data: bytes, callback: Any) -> bool:
            callback(decode_picture(data))
            return True

        self.hub = Hub(
            registry=self.registry,
            service=lambda: service,
            settings=conf,
            identity=Identity(Secrets.of(conf, directory=None), realm="local", wall=lambda: self.time),
            pictures=Pictures(decode),
            mint=None,
            now=lambda: self.time,
            wall=lambda: self.time,
            version="1",
        )

    def join(self, room: str = "tea", **hello: Any) -> tuple[Participant, Outlet]:
        outlet = Outlet()
        participant = self.hub.connect(Arrival(remote=HERE, local=HERE), outlet)
        self.say(participant, "Hello", {"Name": room, **hello})
        return participant, outlet

    def say(self, participant: Participant, kind: str, body: Any) -> None:
        self.hub.receive(participant, json.dumps({"Type": kind, kind: body}).encode())

    def later(self, seconds: float) -> None:
        self.time += seconds
        self.hub.expire()
