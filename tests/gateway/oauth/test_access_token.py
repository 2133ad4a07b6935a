"""Access tokens: issued whole, read strictly, and nothing else passes for one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.caller import CallerKind
from gateway.oauth.access_token import LONGEST_LIFETIME_S, AccessTokens, TokenInvalid
from gateway.oauth.jose import PrivateKey, base64url, parse
from gateway.oauth.ports import Grant
from gateway.oauth.signing_keys import KeptKey, KeyState, SigningKeys
from gateway.oauth.terms import RAR_TYPE
from gateway.oauth.token_caller import ClaimsInvalid
from tests.gateway.oauth.conftest import BASE, START, HandClock

pytestmark = pytest.mark.anyio
RESOURCE = f"{BASE}/graphql"
SIGNER, NEXT, STRANGER = (PrivateKey.generate() for _ in range(3))


class Kept:
    """`KeptKeys` in memory."""

    def __init__(self) -> None:
        self.keys = [KeptKey(SIGNER, KeyState.CURRENT, START), KeptKey(NEXT, KeyState.NEXT, START)]
        self.loads = 0

    async def load(self) -> Sequence[KeptKey]:
        self.loads += 1
        return tuple(self.keys)


def made(clock: HandClock, kept: Kept | None = None) -> AccessTokens:
    return AccessTokens(BASE, SigningKeys(kept or Kept(), clock), clock)


CLAIMS = {
    "kind": "OFFICER", "org_id": "agency-1", "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "roles": ["OFFICER"],
    "posts": ["p1"], "purposes": ["CC_RECEPTION", "CC_PLAN"], "level": 3, "auth_time": 1, "acr": "3", "amr": ["hwk"],
}  # fmt: skip
DETAIL = {
    "type": RAR_TYPE, "actions": ["read"], "locations": [RESOURCE], "datatypes": ["correctionCase.state"],
    "purpose": {"code": "CC_PLAN", "reference": "(2026)粤0604刑初123号"}, "subjects": {"consent_id": "c-1"},
    "validity": {"until": "2026-12-31T08:00:00+08:00"}, "access": {"mode": "recurring", "max_per_day": 4},
}  # fmt: skip


def grant(details: Sequence[dict[str, Any]] = (), **claims: Any) -> Grant:
    return Grant("g-1", "desk", "u-1", frozenset({"graphql"}), details, CLAIMS | claims)


async def issued(tokens: AccessTokens, of: Grant | None = None, **given: Any) -> str:
    return (await tokens.issue(of or grant(), audience=RESOURCE, cnf={"jkt": "k"}, **given)).token


async def test_a_token_says_all_a_resource_must_know(clock: HandClock) -> None:
    tokens = made(clock)
    done = await tokens.issue(grant([DETAIL]), audience=RESOURCE, cnf={"jkt": "thumb"}, lifetime_s=300)
    jws = parse(done.token)
    assert jws.header == {"typ": "at+jwt", "kid": SIGNER.kid, "alg": "ES256"}
    now = int(clock.now().timestamp())
    assert {name: jws.claims[name] for name in ("iss", "aud", "sub", "client_id", "iat", "exp", "scope", "cnf", "jti")} == {
        "iss": BASE, "aud": RESOURCE, "sub": "u-1", "client_id": "desk", "iat": now, "exp": now + 300, "scope": "graphql",
        "cnf": {"jkt": "thumb"}, "jti": done.token_id,
    }  # fmt: skip
    assert done.token not in repr(done)
    found = await tokens.verify(done.token, audience=RESOURCE)
    caller = found.caller
    assert (caller.user_id, caller.client_id, caller.grant_id, caller.token_id) == ("u-1", "desk", "g-1", done.token_id)
    assert (caller.kind, caller.level, caller.posts) == (CallerKind.OFFICER, 3, frozenset({"p1"}))
    assert caller.purposes == frozenset({"CC_PLAN"})  # the details say less than the registration
    (detail,) = caller.details
    assert (detail.purpose, detail.consent_id, detail.max_per_day) == ("CC_PLAN", "c-1", 4)
    assert detail.until == datetime(2026, 12, 31, tzinfo=UTC)
    assert detail.datatypes == frozenset({"correctionCase.state"})
    assert caller.granted_at == clock.now()
    assert "u-1" not in repr(found)


async def test_what_is_granted_cannot_say_who_issued_it_or_to_whom(clock: HandClock) -> None:
    tokens = made(clock)
    claims = {"iss": "evil", "sub": "evil", "exp": 9e9, "cnf": {"jkt": "evil"}, "aud": "evil", "grant_id": "evil"}
    found = await tokens.verify(await issued(tokens, grant(**claims)))
    assert found.jkt == "k"
    assert (found.claims["iss"], found.claims["sub"], found.claims["grant_id"]) == (BASE, "u-1", "g-1")
    assert found.expires_at <= clock.now() + timedelta(seconds=600)


async def test_no_token_without_a_key_and_none_longer_than_a_retired_key_waits(clock: HandClock) -> None:
    tokens = made(clock)
    with pytest.raises(ValueError, match="bound"):
        await tokens.issue(grant(), audience=RESOURCE, cnf={})
    done = await tokens.issue(grant(), audience=RESOURCE, cnf={"jkt": "k"}, lifetime_s=10**6)
    assert done.expires_in == LONGEST_LIFETIME_S


async def test_the_end_counts_also_where_the_signature_is_remembered(clock: HandClock) -> None:
    tokens = made(clock)
    token = await issued(tokens, lifetime_s=60)
    await tokens.verify(token)
    clock.forward(59)
    await tokens.verify(token)
    clock.forward(1)
    for _ in range(2):
        with pytest.raises(TokenInvalid, match="expired"):
            await tokens.verify(token)


async def test_a_key_that_is_no_longer_published_ends_its_tokens_at_once(clock: HandClock) -> None:
    kept = Kept()
    tokens = AccessTokens(BASE, SigningKeys(kept, clock, refresh_s=0), clock)
    token = await issued(tokens)
    await tokens.verify(token)
    kept.keys = [KeptKey(NEXT, KeyState.CURRENT, START)]
    with pytest.raises(TokenInvalid, match="key"):
        await tokens.verify(token)


async def test_news_of_a_rotation_that_comes_while_the_keys_are_read_is_not_lost(clock: HandClock) -> None:
    """A stolen key would be good for another twenty seconds: what is being read is from before it was withdrawn."""

    class Rotated(Kept):
        async def load(self) -> Sequence[KeptKey]:
            read = await super().load()
            if self.loads == 2:
                self.keys = [KeptKey(NEXT, KeyState.CURRENT, START)]
                keys.forget()
            return read

    kept = Rotated()
    keys = SigningKeys(kept, clock)
    tokens = AccessTokens(BASE, keys, clock)
    token = await issued(tokens)
    keys.forget()
    await tokens.verify(token)
    with pytest.raises(TokenInvalid, match="key"):
        await tokens.verify(token)
    assert kept.loads == 3


async def test_the_audience_must_be_ours(clock: HandClock) -> None:
    tokens = made(clock)
    token = await issued(tokens)
    await tokens.verify(token, audience=RESOURCE)
    for other in (BASE, RESOURCE + "/", "https://other.example/graphql"):
        with pytest.raises(TokenInvalid, match="aud"):
            await tokens.verify(token, audience=other)


def forged(clock: HandClock, key: PrivateKey = SIGNER, header: dict[str, Any] | None = None, **claims: Any) -> str:
    now = int(clock.now().timestamp())
    told = dict(CLAIMS) | {
        "iss": BASE, "sub": "u-1", "aud": RESOURCE, "client_id": "desk", "iat": now, "exp": now + 60, "jti": "t-1",
        "grant_id": "g-1", "granted_at": now, "scope": "graphql", "cnf": {"jkt": "k"},
    } | claims  # fmt: skip
    head = {"typ": "at+jwt", "kid": SIGNER.kid} | (header or {})
    return key.sign(
        {name: value for name, value in head.items() if value is not ...},
        {name: value for name, value in told.items() if value is not ...},
    )


FALSE: dict[str, dict[str, Any]] = {
    "signed by a stranger": {"key": STRANGER},
    "signed by a stranger who says so": {"key": STRANGER, "header": {"kid": STRANGER.kid}},
    "with a key of its own": {"key": STRANGER, "header": {"jwk": STRANGER.public_jwk()}},
    "without a kid": {"header": {"kid": ...}},
    "with a kid of a file": {"header": {"kid": "/dev/null"}},
    "an ID token": {"header": {"typ": "JWT"}},
    "of no type": {"header": {"typ": ...}},
    "a proof": {"header": {"typ": "dpop+jwt"}},
    "a logout token": {"header": {"typ": "logout+jwt"}},
    "with an extension": {"header": {"crit": ["x"], "x": 1}},
    "of another issuer": {"iss": "https://evil.example"},
    "of an issuer with a slash": {"iss": BASE + "/"},
    "for nobody": {"aud": ...},
    "for a number": {"aud": 1},
    "without an end": {"exp": ...},
    "with an end as text": {"exp": "9999999999"},
    "with an end beyond all calendars": {"exp": 1e308},
    "with an end that is true": {"exp": True},
    "of the future": {"iat": int(START.timestamp()) + 60},
    "without a subject": {"sub": ...},
    "without a client": {"client_id": ...},
    "without an id": {"jti": ...},
    "without a grant": {"grant_id": ...},
    "of no known time": {"granted_at": ...},
    "bound to nothing": {"cnf": ...},
    "bound to an empty thing": {"cnf": {}},
    "bound to text": {"cnf": "k"},
    "bound to a number": {"cnf": {"jkt": 1}},
    "past": {"exp": int(START.timestamp())},
}


@pytest.mark.parametrize("what", FALSE)
async def test_a_false_token_is_none(what: str, clock: HandClock) -> None:
    tokens = made(clock)
    with pytest.raises(TokenInvalid):
        await tokens.verify(forged(clock, **FALSE[what]))
    await tokens.verify(forged(clock))
    await tokens.verify(forged(clock, key=NEXT, header={"kid": NEXT.kid}))  # another replica rotated first


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "ｘ", "\ud800", "x" * 20_000])
async def test_what_is_no_token_at_all(text: str, clock: HandClock) -> None:
    with pytest.raises(TokenInvalid):
        await made(clock).verify(text)


async def test_none_and_hmac_are_no_signatures(clock: HandClock) -> None:
    _, payload, signature = forged(clock).split(".")
    for alg in ("none", "HS256", "RS256"):
        head = base64url(f'{{"typ":"at+jwt","alg":"{alg}","kid":"{SIGNER.kid}"}}'.encode())
        for tail in (signature, ""):
            with pytest.raises(TokenInvalid):
                await made(clock).verify(f"{head}.{payload}.{tail}")


async def test_strangers_tokens_neither_fill_the_memory_nor_wear_out_the_store(clock: HandClock) -> None:
    kept = Kept()
    tokens = AccessTokens(BASE, SigningKeys(kept, clock), clock)
    for number in range(50):
        with pytest.raises(TokenInvalid):
            await tokens.verify(forged(clock, key=STRANGER, header={"kid": f"k{number}"}))
    assert len(tokens._verified) == 0
    assert kept.loads <= 2


@pytest.mark.parametrize(
    "spoiled",
    [{"kind": ...}, {"kind": "GOD"}, {"org_id": ...}, {"org_id": ""}, {"roles": "OFFICER"}, {"purposes": [1]}, {"level": "x"},
     {"level": None}, {"authorization_details": [1]}, {"authorization_details": [{"type": RAR_TYPE}]},
     {"authorization_details": [DETAIL | {"validity": {"until": "2026-12-31T08:00:00"}}]}],
)  # fmt: skip
async def test_claims_that_describe_nobody(spoiled: dict[str, Any], clock: HandClock) -> None:
    found = await made(clock).verify(forged(clock, **spoiled))
    with pytest.raises(ClaimsInvalid):
        found.caller


async def test_a_partner_without_details_may_ask_nothing(clock: HandClock) -> None:
    tokens = made(clock)
    bare = (await tokens.verify(forged(clock, kind="PARTNER"))).caller
    assert (bare.purposes, bare.details) == (frozenset(), ())
    detail = {name: value for name, value in DETAIL.items() if name != "datatypes"}
    partner = (await tokens.verify(forged(clock, kind="PARTNER", authorization_details=[detail], jti="t-2"))).caller
    assert partner.details[0].datatypes == frozenset()  # never "whatever the rules allow"
    officer = (await tokens.verify(forged(clock, authorization_details=[detail], jti="t-3"))).caller
    assert officer.details[0].datatypes is None


async def test_details_never_widen_what_was_registered(clock: HandClock) -> None:
    detail = DETAIL | {"purpose": {"code": "EVERYTHING"}}
    assert (await made(clock).verify(forged(clock, authorization_details=[detail]))).caller.purposes == frozenset()


async def test_a_callers_nonce_and_grant_time_do_not_make_it_another_caller(clock: HandClock) -> None:
    caller = (await made(clock).verify(forged(clock))).caller
    assert dataclasses.replace(caller, next_nonce="n", granted_at=None) == caller
    assert hash(dataclasses.replace(caller, next_nonce="n")) == hash(caller)
