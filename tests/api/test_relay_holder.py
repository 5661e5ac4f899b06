"""The methods of access control in front of the relay: who gets a credential, in whose name, for how long."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from headgate.core.config import GlobalConf
from tests.api.house import House
from tests.api.relay import StandIn
from tests.core.auth.servers import Backend, Issuer, serve

CREDENTIALS = "/relay/credentials"
USERS = [
    {"user": "ops", "pass": "secret", "permissions": [{"action": "api"}]},
    {"user": "carol", "pass": "secret", "permissions": [{"action": "relay"}]},
    {"user": "wall", "pass": "secret", "permissions": [{"action": "read"}]},
]


@pytest.fixture
def relay(house: House) -> StandIn:
    return StandIn(house)


def configure(house: House, **settings: Any) -> None:
    house.configuration = replace(house.configuration, global_=GlobalConf.model_validate(settings))


def names(answer: httpx.Response) -> str:
    """Whom the credential is for."""
    assert answer.status_code == 200, answer.text
    return str(answer.json()["username"]).partition(":")[2]


async def test_a_user_of_the_configuration(relay: StandIn, house: House) -> None:
    configure(house, authInternalUsers=USERS)
    async with house.client() as client:

        async def ask(by: str, **wish: Any) -> httpx.Response:
            return await client.post(CREDENTIALS, json=wish, auth=(by, "secret"))

        assert names(await ask("carol")) == "carol"
        assert names(await ask("carol", user="carol")) == "carol"
        refused = await ask("carol", user="alice")
        assert (refused.status_code, refused.text) == (403, "access denied")
        assert names(await ask("ops", user="alice")) == "alice"
        assert (await ask("wall")).status_code == 401
        assert (await client.post(CREDENTIALS, json={})).status_code == 401
        # The permission is for that alone.
        for route in ("/relay/users", "/session", "/v1/sessions", CREDENTIALS):
            assert (await client.get(route, auth=("carol", "secret"))).status_code in {401, 405}


async def test_a_token_opens_it_as_long_as_it_is_good(relay: StandIn, house: House) -> None:
    issuer = Issuer()
    async with serve(issuer.answer) as url, house.client() as client:
        configure(house, authMethod="jwt", authJWTJWKS=url)

        async def ask(*, permits: str, left: float, **wish: Any) -> httpx.Response:
            token = issuer.token(mediamtx_permissions=[{"action": permits}], exp=time.time() + left)
            return await client.post(CREDENTIALS, json=wish, headers={"authorization": f"Bearer {token}"})

        answer = await ask(permits="relay", left=100)
        assert names(answer) == "alice", "the token's subject"
        assert 90 < answer.json()["ttl"] <= 100
        assert (await ask(permits="relay", left=600, ttl=60)).json()["ttl"] == 60
        assert (await ask(permits="relay", left=600, user="bob")).status_code == 403
        assert (await ask(permits="read", left=600)).status_code == 401
        assert (await ask(permits="relay", left=-1)).status_code == 401
        operator = await ask(permits="api", left=100, user="bob")
        assert (names(operator), operator.json()["ttl"]) == ("bob", 3600)
    await house.access.__aexit__(None, None, None)


async def test_another_servers_word(relay: StandIn, house: House) -> None:
    backend = Backend()
    backend.decide = lambda asked: 200 if (asked["action"], asked["user"]) == ("relay", "carol") else 403
    async with serve(backend.answer) as url, house.client() as client:
        configure(house, authMethod="http", authHTTPAddress=url, authHTTPExclude=[])
        assert names(await client.post(CREDENTIALS, json={}, auth=("carol", "x"))) == "carol"
        assert (await client.post(CREDENTIALS, json={}, auth=("dave", "x"))).status_code == 401
        assert {asked["protocol"] for asked in backend.asked} == {"http"}
    await house.access.__aexit__(None, None, None)


async def test_whom_nobody_knows_by_name_has_their_addresss(relay: StandIn, house: House) -> None:
    """So that quotas of users count for them, too."""
    configure(house, authInternalUsers=[{"user": "any", "permissions": [{"action": "relay"}]}])
    transport = httpx.ASGITransport(house.app, client=("192.0.2.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.1") as client:
        assert names(await client.post(CREDENTIALS, json={})) == "192.0.2.9"
