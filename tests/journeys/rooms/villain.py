"""Participants who write hostile HTML wherever a participant may write anything."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["ATTACKS", "EVIL", "Villain"]

EVIL = "https://evil.example"
TIMEOUT = 20.0  # seconds; a busy machine
RUN = "ran('{}')"
MARKUP = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>",
    "<body onload={}>",
    "<input autofocus onfocus={}>",
    "<details open ontoggle={}><summary>x</summary></details>",
    "<video><source onerror={}></video>",
    "<a href=javascript:{} id=x>click</a>",
    "<math><mtext><table><mglyph><style><img src onerror={}>",
    "<style onload={}></style>",
    "<object data=javascript:{}></object>",
    "<link rel=stylesheet href=data:, onerror={}>",
    "<form><button formaction=javascript:{}>x</button></form>",
)
AROUND = ("{}", '">{}', "'>{}", "</title></textarea></script>--> {} <!--")
WORDS = (
    "javascript:{}",
    "JaVaScRiPt\t:{}",
    "data:text/html,<script>{}</script>",
    "{{{{constructor.constructor({!r})()}}}}",
    "${{{}}}",
    'https://x.example/" onmouseover="{}',
)


def _attacks() -> Iterator[str]:
    numbers = itertools.count()
    for around, markup in itertools.product(AROUND, MARKUP):
        yield around.format(markup.format(RUN.format(next(numbers))))
    for word in WORDS:
        yield word.format(RUN.format(next(numbers)))


ATTACKS: Sequence[str] = tuple(_attacks())


class Villain:
    """It speaks the protocol, and does not look at what it is told but for what it asks."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.id = str(self._next("Self")["Id"])
        self.present: dict[str, dict[str, Any]] = {}

    @classmethod
    @contextmanager
    def connect(cls, port: int, *, agent: str) -> Iterator[Villain]:
        url = f"ws://127.0.0.1:{port}/ws"
        with connect(url, proxy=None, compression=None, user_agent_header=agent, max_queue=None) as socket:
            yield cls(socket)

    def send(self, kind: str, body: Any) -> None:
        self._socket.send(json.dumps({"Type": kind, kind: body}))

    def hello(self, room: str, *, agent: str) -> str:
        """What it is answered."""
        hello = {"Name": room, "Ua": agent, "Extensions": ["state"]}
        self._socket.send(json.dumps({"Type": "Hello", "Hello": hello, "Iid": "h"}))
        data = self._next(iid="h")
        self.present = {user["Id"]: user for user in data.get("Users", ())}
        return str(data["Type"])

    def order(self, **given: Any) -> None:
        self._socket.send(json.dumps({"Type": "Moderate", "Moderate": given, "Iid": "m"}))
        data = self._next(iid="m")
        assert data["Type"] == "State", data

    def be_called(self, attack: str) -> None:
        picture = attack if attack.startswith(("java", "data")) else f"img:{attack}"
        shown = {"displayName": attack, "buddyPicture": picture, "message": attack, "audio": attack}
        self.send("Status", {"Type": "Status", "Status": shown})

    def write(self, attack: str, *, to: str = "") -> None:
        self.send("Chat", {"Type": "Chat", "To": to, "Chat": {"Message": attack, "NoEcho": True}})
        info = {"id": attack, "chunks": 1, "name": attack, "size": 9, "type": attack}
        place = {"latitude": 1, "longitude": 2}
        for status in (
            {"FileInfo": info},
            {"Typing": attack, "State": attack, "Mid": attack},
            {"Geolocation": place, "AutoCall": {"Id": attack, "Type": attack}},
        ):
            chat = {"Message": attack, "NoEcho": True, "Status": status}
            self.send("Chat", {"Type": "Chat", "To": to, "Chat": chat})

    def signal(self, attack: str, *, to: str) -> None:
        inner = {"type": attack, "sdp": attack, "_token": attack, "_id": attack, "_conference": attack}
        for kind in ("Offer", "Answer", "Candidate", "Bye"):
            body = {"Reason": attack} if kind == "Bye" else inner
            self.send(kind, {"To": to, "Type": kind, kind: body})
        self.send("Conference", {"Id": attack, "Type": "Conference", "Conference": [to, self.id, attack]})

    def settle(self) -> None:
        """All that was said before has been taken."""
        self._socket.send(json.dumps({"Type": "Alive", "Alive": {"Alive": 1}, "Iid": "a"}))
        self._next(iid="a")

    def _next(self, kind: str = "", *, iid: str = "") -> dict[str, Any]:
        while True:
            envelope = json.loads(self._socket.recv(TIMEOUT))
            data: dict[str, Any] = envelope["Data"]
            if (kind and data["Type"] == kind) or (iid and envelope.get("Iid") == iid):
                return data
