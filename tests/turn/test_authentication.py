"""The long-term mechanism (RFC 8489 9.2.4)."""

from __future__ import annotations

import struct

import pytest

from headgate.core.config.turn_conf import TurnConf
from headgate.turn.authentication import ALGORITHMS
from headgate.turn.credentials import Remembered, rest_password
from headgate.turn.events import CredentialWanted, Vouched
from headgate.turn.machine import WAITING_NAMES
from headgate.turn.nonce import COOKIES, LIFETIME
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import Integrity, PasswordAlgorithm
from headgate.turn.stun.message import Message, MessageClass, Method
from tests.turn.dialogue import PEER, REALM, SECRET, UDP, Client, House, error_of

ALLOCATE = (Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, UDP))
AUTHENTICATED = [Method.ALLOCATE, Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND]


@pytest.mark.parametrize("method", [*AUTHENTICATED, Method.CONNECT, Method.CONNECTION_BIND])
def test_nobody_does_anything_without_credentials(method: Method) -> None:
    """S-02."""
    house = House(tcpRelay=True)
    answer = house.client().exchange(house.client().build(method, (Attribute.REQUESTED_TRANSPORT, UDP)))
    assert answer is not None
    assert error_of(answer) is ErrorCode.UNAUTHENTICATED
    assert answer.attributes[Attribute.REALM] == REALM.encode()
    assert answer.attributes[Attribute.PASSWORD_ALGORITHMS] == ALGORITHMS
    assert not answer.is_protected
    assert not house.relay.bound


def test_a_challenge_is_no_larger_than_needed() -> None:
    """S-06: nothing a stranger could have sent to somebody else for nothing."""
    house = House(realm=TurnConf().realm)
    client = house.client()
    asked = client.build(*ALLOCATE)
    answer = house.send(client.five_tuple, asked)
    assert answer is not None
    assert (len(asked), len(answer)) == (28, 72)
    message = Message(answer)
    assert set(message.attributes) == {
        Attribute.ERROR_CODE,
        Attribute.REALM,
        Attribute.NONCE,
        Attribute.PASSWORD_ALGORITHMS,
    }
    assert len(message.attributes[Attribute.ERROR_CODE]) == 4  # no reason phrase


def test_a_bare_header_is_not_answered_over_udp() -> None:
    house = House()
    bare = Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12)).finish()
    assert house.client().exchange(bare) is None
    assert house.client(transport=2, connection=9).exchange(bare) is not None


@pytest.mark.parametrize("integrity", list(Integrity))
@pytest.mark.parametrize("algorithm", [None, PasswordAlgorithm.SHA256])
@pytest.mark.parametrize("by_hash", [False, True])
def test_every_way_to_show_a_password(
    integrity: Integrity, algorithm: PasswordAlgorithm | None, *, by_hash: bool
) -> None:
    client = House().client()
    client.integrity, client.algorithm, client.by_hash = integrity, algorithm, by_hash
    client.allocate()
    answer = client.refresh(700)
    assert bool(answer.integrity_sha256_at) is (integrity is Integrity.SHA256)


@pytest.mark.parametrize(
    ("name", "password"), [("bob", "wrong"), ("eve", "builder"), ("a\nb", "x"), ("bob", "")]
)
def test_a_wrong_name_and_a_wrong_password_look_the_same(name: str, password: str) -> None:
    house = House()
    answer = house.client(name, password).ask(*ALLOCATE)
    assert error_of(answer) is ErrorCode.UNAUTHENTICATED
    assert not answer.is_protected
    assert not house.machine.allocations


@pytest.mark.parametrize("missing", [Attribute.USERNAME, Attribute.REALM, Attribute.NONCE])
def test_what_is_missing_is_a_bad_request(missing: Attribute) -> None:
    client = House().client()
    client.ask(Method.REFRESH)
    request = Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12)).add(Attribute.REQUESTED_TRANSPORT, UDP)
    given = {Attribute.USERNAME: b"bob", Attribute.REALM: REALM.encode(), Attribute.NONCE: client.nonce}
    for attribute, value in given.items():
        if attribute is not missing:
            request.add(attribute, value)
    answer = client.exchange(request.finish(key=client.key))
    assert answer is not None
    assert error_of(answer) is ErrorCode.BAD_REQUEST
    assert Attribute.NONCE not in answer.attributes


def test_a_nonce_runs_out_and_another_is_given() -> None:
    house = House()
    client = house.client()
    client.allocate()
    house.now += LIFETIME + 1
    stale = client.exchange(client.build(Method.REFRESH))
    assert stale is not None
    assert error_of(stale) is ErrorCode.STALE_NONCE
    assert error_of(client.refresh()) is None


def test_a_nonce_is_its_clients() -> None:
    house = House()
    bob, other = house.client(), house.client(client_port=40_001)
    bob.ask(*ALLOCATE)
    other.nonce = bob.nonce
    answer = other.exchange(other.build(*ALLOCATE))
    assert answer is not None
    assert error_of(answer) is ErrorCode.STALE_NONCE


def test_a_stale_nonce_tells_nothing_to_who_does_not_know_the_password() -> None:
    house = House()
    client = house.client(password="wrong")
    client.ask(Method.REFRESH)
    house.now += LIFETIME + 1
    answer = client.exchange(client.build(Method.REFRESH))
    assert answer is not None
    assert error_of(answer) is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (struct.pack(">HH", 1, 0), struct.pack(">HH", 1, 0)),  # somebody took SHA-256 out
        (ALGORITHMS, struct.pack(">HH", 1, 0)),
        (ALGORITHMS, None),
        (None, struct.pack(">HH", 2, 0)),
        (ALGORITHMS, struct.pack(">HH", 3, 0)),
        (ALGORITHMS, b"\0"),
        (ALGORITHMS, struct.pack(">HH", 1, 4)),
        (ALGORITHMS, struct.pack(">HH", 2, 4)),
    ],
)
def test_what_was_offered_cannot_be_taken_away(offered: bytes | None, chosen: bytes | None) -> None:
    """Bid-down (RFC 8489 9.2.4, 16.1.6)."""
    client = House().client()
    client.ask(Method.REFRESH)
    attributes = [
        (int(attribute), value)
        for attribute, value in (
            (Attribute.PASSWORD_ALGORITHMS, offered),
            (Attribute.PASSWORD_ALGORITHM, chosen),
        )
        if value is not None
    ]
    answer = client.exchange(client.build(*ALLOCATE, *attributes))
    assert answer is not None
    assert error_of(answer) is ErrorCode.BAD_REQUEST


def test_a_time_limited_credential_and_the_second_secret() -> None:
    house = House(authSecrets=["a newer secret of some length", "a secret of sixteen or more"])
    old = House.credentials(
        TurnConf.model_validate({"realm": REALM, "authSecrets": ["a secret of sixteen or more"]})
    )
    minted = old.mint(user="carol", ttl=60, now=house.wall)
    client = house.client(minted.name, minted.password)
    client.allocate()
    assert house.machine.allocations[0].user == "carol"


@pytest.mark.parametrize("strict", [False, True])
def test_what_has_run_out_allocates_nothing_and_refreshes_by_choice(*, strict: bool) -> None:
    house = House(strictExpiry=strict)
    minted = house.machine.credentials.mint(user="carol", ttl=60, now=house.wall)
    client = house.client(minted.name, minted.password)
    client.allocate()
    house.now += 61
    expected = ErrorCode.UNAUTHENTICATED if strict else None
    assert error_of(client.refresh()) is expected
    assert client.permit(PEER) is expected
    late = house.client(minted.name, minted.password, client_port=5)
    assert error_of(late.ask(*ALLOCATE)) is ErrorCode.UNAUTHENTICATED


def test_an_allocation_is_its_users() -> None:
    house = House()
    house.client().allocate()
    alice = house.client("alice", "wonder")
    alice.ask(Method.BINDING)
    assert error_of(alice.refresh(0)) is ErrorCode.WRONG_CREDENTIALS
    assert alice.permit(PEER) is ErrorCode.WRONG_CREDENTIALS
    assert len(house.machine.allocations) == 1


def test_another_server_is_asked_once_and_who_waited_is_answered() -> None:
    house = House(authHTTPAddress="http://127.0.0.1:1/")
    client = house.client("carol", "hers")
    client.ask(Method.BINDING)
    assert client.exchange(client.build(*ALLOCATE)) is not None  # the challenge
    challenge = house.client("carol", "hers").exchange(house.client().build(*ALLOCATE))
    assert challenge is not None
    client.nonce = challenge.attributes[Attribute.NONCE]
    for _ in range(6):
        assert client.exchange(client.build(*ALLOCATE)) is None
    assert house.machine.events() == [CredentialWanted("carol", "198.51.100.7")]
    house.machine.credential_known("carol", Remembered("hers", None, house.now + 60), now=house.now)
    answers = [Message(out.data) for out in house.machine.to_send()]
    assert [error_of(answer) for answer in answers] == [None, *[ErrorCode.ALLOCATION_MISMATCH] * 3]
    assert house.machine.allocations[0].user == "carol"


def test_whom_the_other_server_does_not_know_is_not_asked_about_again_at_once() -> None:
    house = House(authHTTPAddress="http://127.0.0.1:1/")
    client = house.client("carol", "hers")
    challenge = client.exchange(client.build(*ALLOCATE))
    assert challenge is not None
    client.nonce = challenge.attributes[Attribute.NONCE]
    assert client.exchange(client.build(*ALLOCATE)) is None
    assert len(house.machine.events()) == 1
    house.machine.credential_known("carol", Remembered(None, None, house.now + 5), now=house.now)
    (out,) = house.machine.to_send()
    assert error_of(Message(out.data)) is ErrorCode.UNAUTHENTICATED
    assert client.exchange(client.build(*ALLOCATE)) is not None
    house.now += 6
    assert client.exchange(client.build(*ALLOCATE)) is None
    assert len(house.machine.events()) == 1


def test_a_nonce_without_a_cookie_says_nothing_of_algorithms() -> None:
    """RFC 8489 9.2.4: of such a one MD5 is meant, whatever else is sent along."""
    client = House().client()
    client.nonce = b"one of another server"
    answer = client.exchange(client.build(*ALLOCATE, (int(Attribute.PASSWORD_ALGORITHMS), b"junk")))
    assert answer is not None
    assert error_of(answer) is ErrorCode.STALE_NONCE


def vouched_for(house: House, **said: float | None) -> Client:
    """carol has an allocation, on another server's word; `expires` and `until` of `Remembered`."""
    client = house.client("carol", "hers")
    challenge = client.exchange(client.build(*ALLOCATE))
    assert challenge is not None
    client.nonce = challenge.attributes[Attribute.NONCE]
    word = Remembered("hers", said.get("expires"), said.get("until") or house.now + 60)
    house.machine.credential_known("carol", word, now=house.now)
    assert error_of(client.ask(*ALLOCATE)) is None
    house.machine.events()
    return client


def test_another_servers_word_is_asked_for_again() -> None:
    """Whom it has shut out since is shut out here, with the request after the one that had it asked."""
    house = House(authHTTPAddress="http://127.0.0.1:1/")
    client = vouched_for(house)
    house.now += 60
    for _ in range(3):
        assert error_of(client.refresh()) is None
    assert [event for event in house.machine.events() if isinstance(event, CredentialWanted)] == [
        CredentialWanted("carol", "198.51.100.7")
    ]
    house.machine.credential_known("carol", Remembered(None, None, house.now + 5), now=house.now)
    assert error_of(client.refresh()) is ErrorCode.UNAUTHENTICATED


def test_while_it_cannot_be_asked_who_is_here_goes_on_and_nobody_begins() -> None:
    house = House(authHTTPAddress="http://127.0.0.1:1/", mobility=True)
    client, new = vouched_for(house), house.client("carol", "hers", client_port=2)
    assert new.ask(Method.REFRESH)  # it has a nonce now
    house.now += 60
    for _ in range(2):
        assert error_of(client.refresh()) is None
        assert client.permit(PEER) is None
        house.machine.credential_known("carol", None, now=house.now)
        assert new.exchange(new.build(*ALLOCATE)) is None
        house.machine.credential_known("carol", None, now=house.now)
        assert house.machine.to_send() == []
    assert len(house.machine.allocations) == 1
    # Who has moved is here, too: the ticket alone is wrong.
    assert error_of(new.ask(Method.REFRESH, (Attribute.MOBILITY_TICKET, bytes(16)))) is not None


def test_strangers_without_a_nonce_of_ours_keep_nobody_waiting() -> None:
    """A forged source is answered as anybody, and asked about by nobody."""
    house = House(authHTTPAddress="http://127.0.0.1:1/", quotas={"answersPerSecond": 0})
    client = vouched_for(house)
    for number in range(WAITING_NAMES + 1):
        stranger = house.client(f"stranger{number}", "x", client_port=1000 + number)
        stranger.nonce = b"no nonce of ours"
        assert stranger.exchange(stranger.build(*ALLOCATE)) is not None
    assert house.machine.events() == []
    # Those who have one may fill the room there is for names, but not that of known ones.
    for number in range(WAITING_NAMES + 1):
        stranger = house.client(f"stranger{number}", "x", client_port=1000 + number)
        challenge = stranger.exchange(stranger.build(*ALLOCATE))
        assert challenge is not None
        stranger.nonce = challenge.attributes[Attribute.NONCE]
        assert stranger.exchange(stranger.build(*ALLOCATE)) is None
    assert len(house.machine.events()) == WAITING_NAMES
    house.now += 60
    assert error_of(client.refresh()) is None
    assert CredentialWanted("carol", "198.51.100.7") in house.machine.events()


def test_when_a_credential_ends_is_known_from_every_request() -> None:
    house = House(authHTTPAddress="http://127.0.0.1:1/", strictExpiry=True)
    client = vouched_for(house, expires=house.wall + 30)
    (allocation,) = house.machine.allocations
    assert allocation.credential_expires == house.wall + 30
    for expires in (house.wall + 3600, None, house.wall + 10):
        word = Remembered("hers", expires, house.now + 60)
        house.machine.credential_known("carol", word, now=house.now)
        assert client.permit(PEER) is None
        assert allocation.credential_expires == expires
        assert Vouched(allocation) in house.machine.events()
        assert client.permit(PEER) is None
        assert Vouched(allocation) not in house.machine.events()
    over = Remembered("hers", house.wall - 1, house.now + 60)
    house.machine.credential_known("carol", over, now=house.now)
    assert client.permit(PEER) is ErrorCode.UNAUTHENTICATED
    assert Vouched(allocation) in house.machine.events()


def test_users_of_ours_are_nobody_elses_question() -> None:
    house = House(authHTTPAddress="http://127.0.0.1:1/")
    house.client().allocate()
    assert error_of(house.client(password="wrong", client_port=2).ask(*ALLOCATE)) is ErrorCode.UNAUTHENTICATED
    assert not any(isinstance(event, CredentialWanted) for event in house.machine.events())


def test_names_are_to_be_hashed_only_where_every_hash_is_known() -> None:
    """RFC 8489 9.2.5: who is told so has to send USERHASH, and a time-limited name has none here."""
    for secrets, anonymity in (([], True), (["a secret of sixteen or more"], False)):
        client = House(authSecrets=secrets).client()
        client.ask(*ALLOCATE)
        assert client.nonce.startswith(COOKIES[anonymity])
        client.by_hash = anonymity
        assert error_of(client.refresh(600)) is None


def test_a_name_longer_than_one_may_be_is_nobodys() -> None:
    """RFC 8489 14.3: less than 509 bytes. Keys of names are remembered, and these are not."""
    house = House()
    prefix = f"{int(house.wall) + 600}:"
    for size, wanted in ((508, None), (509, ErrorCode.UNAUTHENTICATED)):
        name = prefix.ljust(size, "n")
        client = house.client(name, rest_password(SECRET.encode(), name), client_port=size)
        answer = client.ask(*ALLOCATE)
        assert error_of(answer) is wanted
