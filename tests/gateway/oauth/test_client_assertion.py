"""private_key_jwt: one way to be right, and every way to be wrong told in the same words after the same work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from gateway.oauth import client_assertion
from gateway.oauth.client import Client
from gateway.oauth.client_assertion import ASSERTION_TYPE, FARTHEST_EXP_S, SKEW_S, ClientAssertions
from gateway.oauth.errors import InvalidClient, OAuthError
from gateway.oauth.jose import PrivateKey, base64url
from tests.gateway.oauth.conftest import BASE, KEY, OTHER_KEY, HandClock, SpentOnce, client

pytestmark = pytest.mark.anyio


class Registered:
    """A `Clients` in memory; how often it was asked is counted."""

    def __init__(self, *clients: Client) -> None:
        self.clients = {one.client_id: one for one in clients}
        self.asked = 0

    async def find(self, client_id: str) -> Client | None:
        self.asked += 1
        return self.clients.get(client_id)


class Desk:
    def __init__(self, clock: HandClock, *clients: Client) -> None:
        self.registered = Registered(*(clients or (client(),)))
        self.replay, self.clock = SpentOnce(), clock
        self.assertions = ClientAssertions(self.registered, self.replay, BASE, clock)

    def form(self, *, key: PrivateKey = KEY, header: Mapping[str, Any] | None = None, **claims: Any) -> dict[str, str]:
        now = int(self.clock.now().timestamp())
        told = {"iss": "bank-1", "sub": "bank-1", "aud": BASE, "exp": now + 60, "iat": now, "jti": "j-1"} | claims
        told = {name: value for name, value in told.items() if value is not ...}
        head = {"kid": key.kid, "typ": "JWT"} | (header or {})
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": key.sign(head, told)}

    async def __call__(self, form: Mapping[str, str], headers: Mapping[bytes, bytes] | None = None) -> Client:
        return await self.assertions.authenticate(form, headers or {})


@pytest.fixture
def desk(clock: HandClock) -> Desk:
    return Desk(clock)


async def test_a_good_assertion_says_who_the_client_is(desk: Desk) -> None:
    assert (await desk(desk.form())).client_id == "bank-1"
    assert (await desk({**desk.form(jti="j-2"), "client_id": "bank-1"})).client_id == "bank-1"


async def test_an_assertion_is_good_once_at_all_endpoints_together(desk: Desk, clock: HandClock) -> None:
    form = desk.form()
    await desk(form)
    with pytest.raises(InvalidClient):
        await desk(form)
    elsewhere = ClientAssertions(desk.registered, desk.replay, BASE, clock)  # another endpoint, or another replica
    with pytest.raises(InvalidClient):
        await elsewhere.authenticate(form, {})


async def test_a_jti_is_remembered_for_longer_than_its_assertion_lives_on_any_replicas_clock(desk: Desk) -> None:
    for jti, lives_s in (("short", 1), ("long", FARTHEST_EXP_S)):
        untils: list[datetime] = []

        class Noting:
            async def spend(self, kind: str, key: str, until: datetime, untils: list[datetime] = untils) -> bool:
                assert kind == "assertion"
                untils.append(until)
                return True

        exp = int(desk.clock.now().timestamp()) + lives_s
        await desk.assertions.authenticate(desk.form(jti=jti, exp=exp), {}, Noting())
        (until,) = untils
        assert until.timestamp() >= exp + SKEW_S


async def test_two_clients_may_use_the_same_jti(clock: HandClock) -> None:
    desk = Desk(clock, client(), client("bank-2", OTHER_KEY))
    await desk(desk.form())
    await desk(desk.form(key=OTHER_KEY, iss="bank-2", sub="bank-2"))


NOW = int(HandClock().at.timestamp())
WRONG: dict[str, dict[str, Any]] = {
    "an unknown client": {"iss": "nobody", "sub": "nobody"},
    "another client's name": {"key": OTHER_KEY},
    "a signature by a key of the same name": {"key": OTHER_KEY, "header": {"kid": KEY.kid}},
    "no subject": {"sub": ...},
    "a subject that is a number": {"sub": 1},
    "a subject that is a list": {"sub": ["bank-1"]},
    "an endless subject": {"sub": "b" * 300, "iss": "b" * 300},
    "no issuer": {"iss": ...},
    "another issuer": {"iss": "bank-2"},
    "our own name as issuer": {"iss": BASE},
    "no audience": {"aud": ...},
    "an audience in a list": {"aud": [BASE]},
    "two audiences": {"aud": [BASE, "https://evil.example"]},
    "the token endpoint as audience": {"aud": f"{BASE}/oauth/token"},
    "an audience with a slash": {"aud": f"{BASE}/"},
    "an audience in capitals": {"aud": BASE.upper()},
    "another server as audience": {"aud": "https://evil.example"},
    "no end": {"exp": ...},
    "an end as text": {"exp": str(NOW + 60)},
    "an end that is true": {"exp": True},
    "an end in a list": {"exp": [NOW + 60]},
    "an end of just now": {"exp": NOW},
    "an end long past": {"exp": 1},
    "an end far away": {"exp": NOW + 311},
    "an end at the end of time": {"exp": 1e300},
    "of the future": {"iat": NOW + 11},
    "a beginning in the future": {"nbf": NOW + 11},
    "a beginning as text": {"nbf": "now"},
    "no id": {"jti": ...},
    "an empty id": {"jti": ""},
    "an id that is a number": {"jti": 7},
    "an endless id": {"jti": "j" * 257},
    "a kid that is a path": {"header": {"kid": "../../../dev/null"}},
    "a kid that is a query": {"header": {"kid": "x' UNION SELECT 'key' --"}},
    "a kid that is a number": {"header": {"kid": 0}},
    "an extension to be understood": {"header": {"crit": ["exp"]}},
}


@pytest.mark.parametrize("what", WRONG)
async def test_whatever_is_wrong_is_the_same_refusal_and_spends_nothing(what: str, desk: Desk) -> None:
    with pytest.raises(InvalidClient) as caught:
        await desk(desk.form(**WRONG[what]))
    assert (caught.value.code, caught.value.status, str(caught.value)) == (
        "invalid_client", 401, "invalid_client: invalid_client",
    )  # fmt: skip
    assert desk.replay.spent == set()
    await desk(desk.form())  # and the honest one is not hurt


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_a_key_that_the_assertion_brings_itself_is_not_looked_at(name: str, desk: Desk) -> None:
    brought = {"jwk": OTHER_KEY.public_jwk(), "x5c": ["AAAA"]}.get(name, "https://evil.example/keys")
    with pytest.raises(InvalidClient):
        await desk(desk.form(key=OTHER_KEY, header={"kid": KEY.kid, name: brought}))
    await desk(desk.form(header={name: brought}))  # nor does it spoil a good one


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", "PS256"])
async def test_another_algorithm_than_the_registered_one_is_refused(alg: str, desk: Desk) -> None:
    form = desk.form()
    _, payload, signature = form["client_assertion"].split(".")
    for tail in (signature, ""):
        head = base64url(f'{{"alg":"{alg}","kid":"{KEY.kid}"}}'.encode())
        with pytest.raises(InvalidClient):
            await desk({**form, "client_assertion": f"{head}.{payload}.{tail}"})


async def test_what_is_registered_decides_not_what_the_key_could_do(clock: HandClock) -> None:
    desk = Desk(clock, client(token_endpoint_auth_signing_alg="PS256"))
    with pytest.raises(InvalidClient):
        await desk(desk.form())
    desk = Desk(clock, client(token_endpoint_auth_method="tls_client_auth"))
    with pytest.raises(InvalidClient):
        await desk(desk.form())


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.e30", "." * 3, "x" * 20_000, "ｅ.ｅ.ｅ"])
async def test_what_is_no_assertion(text: str, desk: Desk) -> None:
    with pytest.raises(InvalidClient):
        await desk({"client_assertion_type": ASSERTION_TYPE, "client_assertion": text})
    assert desk.registered.asked == 0


async def test_an_unknown_client_costs_a_signature_check_like_a_known_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    real = client_assertion.verify

    def counted(*given: Any) -> None:
        checked.append(given[0].header["alg"])
        real(*given)

    monkeypatch.setattr(client_assertion, "verify", counted)
    for form in (desk.form(iss="nobody", sub="nobody"), desk.form(key=OTHER_KEY), desk.form(header={"kid": "other"})):
        with pytest.raises(InvalidClient):
            await desk(form)
    assert checked == ["ES256"] * 3
    assert desk.registered.asked == 3


@pytest.mark.parametrize("name", ["bank-1\0", "bank\n1", "\u202ebank-1", ""])
async def test_what_can_be_no_clients_name_is_not_looked_up(name: str, desk: Desk) -> None:
    """A database that holds no such text answers with a fault, which would be told as an outage."""
    with pytest.raises(InvalidClient):
        await desk(desk.form(iss=name, sub=name))
    assert desk.registered.asked == 0


async def test_one_method_at_a_time(desk: Desk) -> None:
    form = desk.form()
    for more, headers in (
        ({}, {b"authorization": b"Basic YmFuay0xOng="}),
        ({}, {b"authorization": b"twice"}),
        ({"client_secret": "s"}, {}),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, {}),
        ({"client_assertion_type": ASSERTION_TYPE.upper()}, {}),
    ):
        with pytest.raises(OAuthError, match="invalid_request"):
            await desk({**form, **more}, headers)
    for missing in ("client_assertion_type", "client_assertion"):
        with pytest.raises(OAuthError):
            await desk({name: value for name, value in form.items() if name != missing})
    with pytest.raises(InvalidClient):
        await desk({**form, "client_id": "bank-2"})
    with pytest.raises(InvalidClient):
        await desk({"client_id": "bank-1"})
    with pytest.raises(InvalidClient):
        await desk({})
    await desk(form)
