"""A TURN client against the machine, in memory, with a clock that the test turns."""

from __future__ import annotations

import itertools
import struct
from typing import Any

from headgate.core.config.turn_conf import TurnConf
from headgate.turn.credentials import Credentials
from headgate.turn.machine import TurnMachine
from headgate.turn.refusal import ErrorCode
from headgate.turn.relay import FiveTuple
from headgate.turn.stun.address import TransportAddress, read_address, xor_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import Integrity, PasswordAlgorithm, long_term_key, userhash
from headgate.turn.stun.message import Malformed, Message, MessageClass, Method
from tests.turn.relay import Link, RelayTwin

__all__ = ["PEER", "REALM", "SECRET", "UDP", "Client", "House", "error_of", "heard", "peer_value"]

REALM = "example.org"
SECRET = "a secret of sixteen or more"
UDP = b"\x11\0\0\0"
PEER = TransportAddress("8.8.8.8", 5000)
WALL = 1_700_000_000.0


class House:
    """A machine, its twin of an engine, and the time."""

    def __init__(
        self,
        *,
        relay: RelayTwin | None = None,
        listeners: list[TransportAddress] | None = None,
        **settings: Any,
    ) -> None:
        self.relay = relay or RelayTwin()
        self.now = 1000.0
        self.settings = TurnConf.model_validate(
            {
                "realm": REALM,
                "relayAddresses": ["192.0.2.1", "2001:db8::1"],
                "users": {"bob": "builder", "alice": "wonder"},
                "authSecrets": [SECRET],
                **settings,
            }
        )
        self.machine = TurnMachine(
            self.relay,
            settings=self.settings,
            credentials=self.credentials(self.settings),
            now=self.now,
            wall=lambda: WALL + self.now,
            listeners=listeners or [],
        )

    @property
    def wall(self) -> float:
        return WALL + self.now

    @staticmethod
    def credentials(settings: TurnConf) -> Credentials:
        return Credentials(
            realm=settings.realm,
            users={name: password.get_secret_value() for name, password in settings.users.items()},
            secrets=[secret.get_secret_value() for secret in settings.auth_secrets],
        )

    def client(self, name: str = "bob", password: str = "builder", **link: Any) -> Client:
        return Client(self, Link(**link), name, password)

    def send(self, five_tuple: FiveTuple, data: bytes) -> bytes | None:
        """The answer to the same five-tuple, if there is one."""
        message = heard(data)
        if message is None:
            return None
        self.machine.receive(five_tuple, message, now=self.now)
        answers = [out.data for out in self.machine.to_send() if out.five_tuple == five_tuple]
        assert len(answers) <= 1
        return answers[0] if answers else None


def heard(data: bytes) -> Message | None:
    """What the engine hands up."""
    try:
        message = Message(data)
    except Malformed:
        return None
    return message if message.fingerprint_holds() else None


class Client:
    """Answers the challenge by itself."""

    def __init__(self, house: House, five_tuple: Link, name: str, password: str) -> None:
        self.house = house
        self.five_tuple = five_tuple
        self.name = name
        self.password = password
        self.integrity = Integrity.SHA1
        self.algorithm: PasswordAlgorithm | None = None
        self.by_hash = False
        self.nonce = b""
        self.offered = b""
        self._transactions = itertools.count(1)

    @property
    def key(self) -> bytes:
        algorithm = self.algorithm or PasswordAlgorithm.MD5
        return long_term_key(user=self.name, realm=REALM, password=self.password, algorithm=algorithm)

    def build(
        self,
        method: Method,
        *attributes: tuple[int, bytes],
        transaction: bytes | None = None,
        key: bytes | None = None,
        fingerprint: bool = False,
    ) -> bytes:
        """A request with credentials, as far as a nonce is known."""
        request = Answer(method, MessageClass.REQUEST, transaction or next(self._transactions).to_bytes(12))
        for attribute, value in attributes:
            request.add(attribute, value)
        if not self.nonce:
            if not attributes:
                request.add(Attribute.SOFTWARE, b"test")  # bare headers are not answered
            return request.finish(fingerprint=fingerprint)
        if self.by_hash:
            request.add(Attribute.USERHASH, userhash(user=self.name, realm=REALM))
        else:
            request.add(Attribute.USERNAME, self.name.encode())
        request.add(Attribute.REALM, REALM.encode()).add(Attribute.NONCE, self.nonce)
        if self.algorithm is not None:
            request.add(Attribute.PASSWORD_ALGORITHMS, self.offered)
            request.add(Attribute.PASSWORD_ALGORITHM, struct.pack(">HH", self.algorithm, 0))
        return request.finish(key=key or self.key, integrity=self.integrity, fingerprint=fingerprint)

    def exchange(self, data: bytes) -> Message | None:
        answer = self.house.send(self.five_tuple, data)
        if answer is None:
            return None
        message = Message(answer)
        assert message.transaction == Message(data).transaction
        if message.is_protected:
            assert message.holds(self.key)
        return message

    def ask(
        self, method: Method, *attributes: tuple[int, bytes], transaction: bytes | None = None
    ) -> Message:
        """The answer, the second one where the first is a challenge."""
        for _ in range(2):
            message = self.exchange(self.build(method, *attributes, transaction=transaction))
            assert message is not None, "no answer"
            code = error_of(message)
            if code not in (ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE):
                break
            if message.attributes[Attribute.NONCE] == self.nonce:
                break
            self.nonce = message.attributes[Attribute.NONCE]
            self.offered = message.attributes[Attribute.PASSWORD_ALGORITHMS]
        return message

    def allocate(self, *attributes: tuple[int, bytes]) -> TransportAddress:
        answer = self.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, UDP), *attributes)
        assert error_of(answer) is None, error_of(answer)
        return read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)

    def peer_request(self, method: Method, *peers: TransportAddress, channel: int = 0) -> ErrorCode | None:
        """CreatePermission, ChannelBind, Connect: what was wrong, or None."""
        for _ in range(2):
            transaction = next(self._transactions).to_bytes(12)
            values = [(int(Attribute.XOR_PEER_ADDRESS), peer_value(peer, transaction)) for peer in peers]
            if channel:
                values.append((int(Attribute.CHANNEL_NUMBER), struct.pack(">HH", channel, 0)))
            message = self.exchange(self.build(method, *values, transaction=transaction))
            if message is None:
                return None
            code = error_of(message)
            if code is not ErrorCode.STALE_NONCE:
                break
            self.nonce = message.attributes[Attribute.NONCE]
        return code

    def permit(self, *peers: TransportAddress) -> ErrorCode | None:
        return self.peer_request(Method.CREATE_PERMISSION, *peers)

    def bind(self, channel: int, peer: TransportAddress = PEER) -> ErrorCode | None:
        return self.peer_request(Method.CHANNEL_BIND, peer, channel=channel)

    def refresh(self, lifetime: int | None = None, *attributes: tuple[int, bytes]) -> Message:
        wanted = [] if lifetime is None else [(int(Attribute.LIFETIME), lifetime.to_bytes(4))]
        return self.ask(Method.REFRESH, *wanted, *attributes)


def peer_value(peer: TransportAddress, transaction: bytes) -> bytes:
    return xor_address(peer.host, peer.port, transaction)


def error_of(message: Message) -> ErrorCode | None:
    value = message.attributes.get(Attribute.ERROR_CODE)
    return None if value is None else ErrorCode(value[2] * 100 + value[3])
