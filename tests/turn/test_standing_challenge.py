"""What the engine says to strangers by itself is what the machine says."""

from __future__ import annotations

import pytest

from headgate.api.exposition import expose
from headgate.api.relay_metrics import relay_families
from headgate.core.config.turn_conf import TurnConf
from headgate.server import Server
from headgate.turn.nonce import HEAD
from headgate.turn.overview import Overview
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, MessageClass, Method
from tests.turn.dialogue import UDP, Client, House, error_of
from tests.turn.live import LiveClient, open_relay

ASKED = (Attribute.REQUESTED_TRANSPORT, UDP)
CHALLENGED = [
    Method.ALLOCATE,
    Method.REFRESH,
    Method.CREATE_PERMISSION,
    Method.CHANNEL_BIND,
    Method.CONNECT,
    Method.CONNECTION_BIND,
]


def challenged(server: Server) -> int:
    return server.loop.engine.turn_counters().challenged


def without_tag(answer: bytes) -> bytes:
    nonce = Message(answer).attributes[Attribute.NONCE]
    return answer.replace(nonce[HEAD:], b"")


@pytest.mark.parametrize("fingerprint", [False, True])
@pytest.mark.parametrize("method", CHALLENGED)
async def test_the_same_bytes_but_for_the_nonce(method: Method, *, fingerprint: bool) -> None:
    house = House()
    async with open_relay() as server, LiveClient.connect(server) as live:
        request = house.client().build(method, ASKED, transaction=b"t" * 12, fingerprint=fingerprint)
        await live.send(request)
        answer = await live.receive()
        assert challenged(server) == 1
        assert server.turn.machine.refusals == {}
    message = Message(answer)
    assert error_of(message) is ErrorCode.UNAUTHENTICATED
    assert message.message_class is MessageClass.ERROR.value
    assert bool(message.fingerprint_at) is fingerprint
    assert message.fingerprint_holds()
    expected = house.send(house.client().five_tuple, request)
    assert expected is not None
    if not fingerprint:
        assert without_tag(answer) == without_tag(expected)
    assert len(answer) == len(expected)


async def test_it_is_counted_as_what_it_is() -> None:
    async with open_relay() as server, LiveClient.connect(server) as live:
        for _ in range(3):
            await live.send(live.client.build(Method.ALLOCATE, ASKED))
            await live.receive()
        overview = Overview(server.turn, registry=server.registry)
        assert overview.counters.refusals == {401: 3}
        text = expose(relay_families(overview, server.loop.engine))
        assert "headgate_turn_requests_total 3" in text


async def test_a_nonce_of_the_engines_lets_in_whom_it_was_given() -> None:
    async with open_relay() as server, LiveClient.connect(server) as live:
        await live.allocate()
        assert (challenged(server), server.turn.machine.refusals) == (1, {})
        # Who has an allocation is Python's, whatever they say.
        live.client.nonce = b""
        await live.send(live.client.build(Method.REFRESH, ASKED))
        assert error_of(Message(await live.receive())) is ErrorCode.UNAUTHENTICATED
        assert challenged(server) == 1
        assert server.turn.machine.allocations[0].errors == 1


async def test_one_budget_for_both() -> None:
    async with (
        open_relay(quotas={"answersPerSecond": 1}) as server,
        LiveClient.connect(server) as live,
        LiveClient.connect(server) as other,
    ):
        for _ in range(4):
            await live.send(live.client.build(Method.ALLOCATE, ASKED))
            await live.receive()
        await other.ask(Method.BINDING)  # the fifth: Python's
        await live.send(live.client.build(Method.ALLOCATE, ASKED))
        await live.send(live.client.build(Method.BINDING))
        # Who knows a password is answered without one. Python has had what came before it by then.
        client = Client(House(), live.client.five_tuple, "bob", "builder")
        nonces = server.turn.machine._wing.nonces
        client.nonce = nonces.make(client_bytes(live), now=server.turn.now)
        await live.send(client.build(Method.ALLOCATE, ASKED))
        assert error_of(Message(await live.receive())) is None
        assert server.turn.machine.unanswered == 2


def client_bytes(live: LiveClient) -> bytes:
    """`FiveTuple.client`."""
    host, port = live.address
    return bytes([1]) + port.to_bytes(2) + bytes(10) + b"\xff\xff" + bytes(map(int, host.split(".")))


async def test_what_the_engine_leaves_to_python() -> None:
    async with open_relay() as server, LiveClient.connect(server) as live:
        bare = Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12)).finish()
        broken = live.client.build(Method.ALLOCATE, ASKED, fingerprint=True)
        await live.send(bare)
        await live.send(broken[:-1] + bytes([broken[-1] ^ 1]))
        await live.send(Answer(0x7F, MessageClass.REQUEST, bytes(12)).add(*ASKED).finish())
        await live.send(Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12)).add(*ASKED).finish(key=b"k"))
        assert error_of(Message(await live.receive())) is ErrorCode.BAD_REQUEST
        assert (challenged(server), server.turn.machine.dropped) == (0, 2)
        assert server.loop.engine.turn_counters().malformed == 1


async def test_a_new_realm_is_told_at_once() -> None:
    house = House()
    async with open_relay() as server, LiveClient.connect(server) as live:
        settings = TurnConf.model_validate(server.turn.settings.model_dump(by_alias=True) | {"realm": "new"})
        server.turn.follow(settings, list(server.turn.interfaces), [])
        await live.send(house.client().build(Method.ALLOCATE, ASKED))
        assert Message(await live.receive()).attributes[Attribute.REALM] == b"new"
