"""Hostile documents, made of good ones, said to a hub full of people; and what must hold whatever is said.

`python -m tests.rooms.hostile SECONDS [SEED]` goes on for longer than the test does; `make fuzz` runs it.
"""

from __future__ import annotations

import json
import random
import secrets
import sys
import time
from typing import Any

from headgate.engine import Engine
from headgate.rooms.decoder import decode
from headgate.rooms.documents import Document, Hello
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Refusal
from tests.rooms.crowd import Crowd, Snapshot
from tests.rooms.grammar import BYTES, DOCUMENTS, KEYS, NASTY

__all__ = ["Fuzzer"]

ROUND = 400
"""Documents that one crowd is told before another comes, as most of the first is thrown out by then."""
KEPT = 2000
"""Documents that led somewhere new, and are changed further."""


class Fuzzer:
    """`say` one document after another; an assertion fails where something does not hold."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._random = random.Random(seed)
        self._crowd = Crowd(engine)
        self._kept: list[bytes] = []
        self._seen: set[object] = set()
        self.said = 0
        self.refused = 0

    @property
    def ways(self) -> int:
        """In which the hub has answered so far."""
        return len(self._seen)

    def say(self) -> None:
        if self.said % ROUND == 0:
            self._crowd = Crowd(self._engine)
        chance = self._random
        crowd = self._crowd
        sender = chance.choice([one for one in crowd.people if one.outlet is not None])
        text = self._text()
        self.said += 1
        before = crowd.snapshot()
        try:
            crowd.house.hub.receive(sender, text)
            self._judge(sender, text, before)
            crowd.check()
            if chance.random() < 0.02:
                crowd.house.later(chance.choice((0.5, 11.0, 31.0, 61.0)))
                crowd.check()
                crowd.listen()
        except Exception as error:
            error.add_note(f"after document {self.said}, from {sender!r}: {text[:2000]!r}")
            raise

    def _judge(self, sender: Participant, text: bytes, before: Snapshot) -> None:
        crowd = self._crowd
        heard = crowd.listen()
        own = heard.pop(sender.public_id, [])
        errors = [document for document in own if document["Type"] == "Error"]
        document = _decoded(text)
        if isinstance(document, Refusal):
            assert [one["Code"] for one in errors] == [document.code.value]
            assert (own, heard) == (errors, {}), "what is no document was told to somebody"
        if errors and not isinstance(document, Hello):
            self.refused += 1
            after = crowd.snapshot()
            for name, value in before.items():
                assert after[name] == value, f"refused, and yet {name} changed"
            assert not heard, f"refused, and yet others heard {heard}"
        for public_id, documents in heard.items():
            told = json.dumps(documents)
            for one in crowd.people:
                assert one.sid not in told or one.public_id == public_id, "a secret was told"
        way = (
            type(document).__name__,
            tuple(str(one.get("Message", one["Type"])) for one in own[:4]),
            tuple(sorted({each["Type"] for documents in heard.values() for each in documents})),
        )
        if way not in self._seen and len(self._kept) < KEPT:
            self._seen.add(way)
            self._kept.append(text)

    # Documents

    def _text(self) -> bytes:
        chance = self._random
        if self._kept and chance.random() < 0.3:
            text = chance.choice(self._kept)
        else:
            document = self._good()
            for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2, 5))):
                document = self._changed(document)
            text = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(errors="replace")
        for _ in range(chance.choice((0, 0, 0, 0, 0, 0, 0, 1, 3))):
            text = self._cut(text)
        return text

    def _good(self) -> Any:
        chance = self._random
        kind = chance.choice(list(DOCUMENTS))
        body = DOCUMENTS[kind](self)
        envelope = {"Type": kind, kind: body}
        if chance.random() < 0.5:
            envelope["Iid"] = str(self.said)
        return envelope

    def id(self) -> str:
        """Somebody's."""
        people = self._crowd.people
        return self._random.choice([*(one.public_id for one in people), "", "nobody"])

    def ids(self) -> list[str]:
        return [self.id() for _ in range(self._random.randrange(6))]

    def switch(self) -> bool:
        return self._random.random() < 0.5

    def word(self, *words: Any) -> Any:
        return self._random.choice(words)

    def token(self) -> str:
        return self._random.choice([*self._crowd.tokens, "", "x" * 40])

    def nasty(self) -> Any:
        return self._random.choice(NASTY)(self._random)

    def _changed(self, document: Any) -> Any:
        """Another value, key or nesting somewhere in it."""
        chance = self._random
        if isinstance(document, dict) and document and chance.random() < 0.85:
            key = chance.choice(list(document))
            match chance.randrange(8):
                case 0:
                    return {name: value for name, value in document.items() if name != key}
                case 1:
                    return {**document, chance.choice((key.upper(), key.lower())): self.nasty()}
                case 2:
                    return {**document, chance.choice(KEYS): self.nasty()}
                case 3:
                    return {**document, key: [document[key]] * chance.randrange(3)}
                case 4:
                    return {**document, key: self._good()}
                case _:
                    return {**document, key: self._changed(document[key])}
        if isinstance(document, list) and document and chance.random() < 0.7:
            index = chance.randrange(len(document))
            return [*document[:index], self._changed(document[index]), *document[index:]]
        return self.nasty()

    def _cut(self, text: bytes) -> bytes:
        chance = self._random
        if not text:
            return b"{"
        at, to = sorted((chance.randrange(len(text)), chance.randrange(len(text))))
        match chance.randrange(5):
            case 0:
                return text[:at]
            case 1:
                return text[:at] + text[to:]
            case 2:
                return text[:to] + text[at:]
            case 3:
                return text[:at] + chance.choice(BYTES) + text[at:]
            case _:
                return text[:at] + bytes((chance.randrange(256),)) + text[at + 1 :]


def _decoded(text: bytes) -> Document | Refusal:
    try:
        return decode(text).document
    except Refusal as refusal:
        return refusal


def main(arguments: list[str]) -> int:
    """Fuzz for a while."""
    duration = float(arguments[0])
    seed = int(arguments[1]) if len(arguments) > 1 else secrets.randbits(32)
    print(f"fuzzing the rooms' documents for {duration:g} s, seed {seed}", flush=True)
    engine = Engine(workers=1, event_capacity=256)
    try:
        fuzzer = Fuzzer(engine, seed)
        end = time.monotonic() + duration
        while time.monotonic() < end:
            fuzzer.say()
    finally:
        engine.shutdown()
    print(f"{fuzzer.said} documents, {fuzzer.refused} refused, answered in {fuzzer.ways} ways")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
