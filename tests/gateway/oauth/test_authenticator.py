"""From headers to a caller: everything is checked before anything is spent, and each refusal says the standard's code."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.caller import Authenticator, Caller, Presented
from gateway.errors import NotAdmitted, Unauthenticated
from gateway.oauth import authenticator
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.authenticator import TokenAuthenticator
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.nonce import PERIOD_S, Nonces
from gateway.oauth.ports import Admission, Grant
from gateway.oauth.signing_keys import SigningKeys
from gateway.store.errors import StoreUnavailable
from tests.gateway.oauth.conftest import BASE, KEY, OTHER_KEY, HandClock, proof
from tests.gateway.oauth.test_access_token import CLAIMS, DETAIL, RESOURCE, Kept, forged
from tests.gateway.oauth.test_mtls import certificate, rfc9440

pytestmark = pytest.mark.anyio


class FakeDoor:
    """Spends in memory; `revoked` holds ids of any kind."""

    def __init__(self) -> None:
        self.asked: list[Admission] = []
        self.spent: set[str] = set()
        self.revoked: set[str] = set()
        self.down = False

    async def admit(self, admission: Admission) -> str:
        if self.down:
            raise StoreUnavailable("down")
        self.asked.append(admission)
        named = {admission.token_id, admission.grant_id, admission.client_id, admission.user_id, *admission.consent_ids}
        if named & self.revoked:
            return "REVOKED"
        if admission.proof_key in self.spent:
            return "REPLAYED"
        if admission.proof_key is not None:
            self.spent.add(admission.proof_key)
        return "OK"


class House:
    def __init__(self, clock: HandClock, *, nonces: bool = False, certificates: bool = False) -> None:
        self.clock, self.door = clock, FakeDoor()
        self.tokens = AccessTokens(BASE, SigningKeys(Kept(), clock), clock)
        self.nonces = Nonces(b"n" * 32, clock) if nonces else None
        self.authenticate = TokenAuthenticator(
            self.tokens, DpopProofs(BASE, self.nonces, clock), self.door, clock, resource=RESOURCE,
            certificates=ClientCertificates("client-cert" if certificates else None, clock),
        )  # fmt: skip

    async def token(self, cnf: Mapping[str, str] | None = None, scope: str = "graphql", **given: Any) -> str:
        grant = Grant("g-1", "desk", "u-1", frozenset(scope.split()), [DETAIL], CLAIMS)
        done = await self.tokens.issue(
            grant, audience=given.pop("audience", RESOURCE), cnf=cnf or {"jkt": KEY.public.thumbprint}, **given
        )
        return done.token

    async def refusal(self, authorization: str | None, dpop: str | None = None, **given: Any) -> Unauthenticated:
        before = set(self.door.spent)
        with pytest.raises(Unauthenticated) as caught:
            await self.authenticate(Presented(authorization, dpop=dpop, **given))
        assert self.door.spent == before
        return caught.value


@pytest.fixture
def house(clock: HandClock) -> House:
    return House(clock)


async def test_token_and_proof_together_are_a_caller_once(house: House, clock: HandClock) -> None:
    token = await house.token()
    shown = Presented(f"DPoP {token}", dpop=proof(clock, token=token))
    caller = await house.authenticate(shown)
    assert (caller.user_id, caller.org_id, caller.grant_id) == ("u-1", "agency-1", "g-1")
    (asked,) = house.door.asked
    assert (asked.token_id, asked.client_id, asked.consent_ids) == (caller.token_id, "desk", ("c-1",))
    assert asked.proof_until >= clock.now() + timedelta(seconds=60)
    assert (await house.refusal(f"DPoP {token}", shown.dpop)).error == "invalid_dpop_proof"
    await house.authenticate(Presented(f"dpop  {token}", dpop=proof(clock, token=token, jti="j-2")))


async def test_the_port_is_kept(house: House) -> None:
    port: Authenticator = house.authenticate
    assert port is house.authenticate


async def test_a_look_spends_nothing(house: House, clock: HandClock) -> None:
    token = await house.token()
    shown = proof(clock, token=token)
    for _ in range(2):
        await house.authenticate(Presented(f"DPoP {token}", dpop=shown, use_once=False))
    assert house.door.spent == set()
    await house.authenticate(Presented(f"DPoP {token}", dpop=shown))


async def test_without_a_token_there_is_no_error_to_speak_of(house: House) -> None:
    assert (await house.refusal(None)).error == ""


@pytest.mark.parametrize(
    "authorization",
    ["", "DPoP", "DPoP ", "Basic dTpw", "DPoP a b", "DPoP a,b", "twice", "DPoP\ttoken", "Bearer x, DPoP y", "DPoP ｘ",
     "DPoP x" + "y" * 20_000, "DPoP a.b.c"],
)  # fmt: skip
async def test_what_is_no_token(authorization: str, house: House, clock: HandClock) -> None:
    assert (await house.refusal(authorization, proof(clock))).error == "invalid_token"


async def test_a_stolen_token_is_worth_nothing(house: House, clock: HandClock) -> None:
    token = await house.token()
    thief = proof(clock, key=OTHER_KEY, token=token)
    refused = {
        "as a bearer": await house.refusal(f"Bearer {token}"),
        "as a bearer with a good proof": await house.refusal(f"Bearer {token}", proof(clock, token=token)),
        "with the thief's own key": await house.refusal(f"DPoP {token}", thief),
    }
    assert {what: error.error for what, error in refused.items()} == dict.fromkeys(refused, "invalid_token")
    bad = {
        "without a proof": None,
        "with two": f"{proof(clock, token=token)}, {proof(clock, token=token, jti='j-2')}",
        "with the header twice": "twice",
        "with a proof of another token": proof(clock, token="another"),
        "with a proof of no token": proof(clock),
        "with a proof of another method": proof(clock, token=token, htm="GET"),
        "with a proof for the token endpoint": proof(clock, token=token, htu=f"{BASE}/oauth/token"),
        "with a proof of an hour ago": proof(clock, token=token, iat=int(clock.now().timestamp()) - 3600),
        "with a proof of tomorrow": proof(clock, token=token, iat=int(clock.now().timestamp()) + 86_400),
    }
    for what, dpop in bad.items():
        assert (await house.refusal(f"DPoP {token}", dpop)).error == "invalid_dpop_proof", what
    assert house.door.asked == []  # none of it came as far as the store


async def test_method_and_path_are_the_requests_own(house: House, clock: HandClock) -> None:
    token = await house.token()
    made = proof(clock, token=token, htm="GET", htu=f"{BASE}/graphql")
    assert (
        await house.refusal(f"DPoP {token}", made, path="/admin/identities", method="GET")
    ).error == "invalid_dpop_proof"
    await house.authenticate(Presented(f"DPoP {token}", "GET", dpop=made))


async def test_another_resources_token_and_an_unfit_one_are_refused(house: House, clock: HandClock) -> None:
    elsewhere = await house.token(audience="https://other.example/api")
    assert (await house.refusal(f"DPoP {elsewhere}", proof(clock, token=elsewhere))).error == "invalid_token"
    nobody = forged(clock, cnf={"jkt": KEY.public.thumbprint}, kind="GOD")
    assert (await house.refusal(f"DPoP {nobody}", proof(clock, token=nobody))).error == "invalid_token"
    unscoped = await house.token(scope="consent:request")
    assert (await house.refusal(f"DPoP {unscoped}", proof(clock, token=unscoped))).error == "insufficient_scope"
    made = proof(clock, token=unscoped, htu=f"{BASE}/consents")
    await house.authenticate(Presented(f"DPoP {unscoped}", path="/consents", dpop=made))


async def test_a_token_past_its_end_is_refused(house: House, clock: HandClock) -> None:
    token = await house.token(lifetime_s=60)
    caller = await house.authenticate(Presented(f"DPoP {token}", dpop=proof(clock, token=token)))
    assert await house.authenticate.still(caller)
    clock.forward(60)
    assert (await house.refusal(f"DPoP {token}", proof(clock, token=token, jti="j-2"))).error == "invalid_token"
    assert not await house.authenticate.still(caller)


@pytest.mark.parametrize("what", ["token", "g-1", "desk", "u-1", "c-1"])
async def test_a_revocation_counts_with_the_next_request_and_for_open_streams(
    what: str, house: House, clock: HandClock
) -> None:
    token = await house.token()
    caller = await house.authenticate(Presented(f"DPoP {token}", dpop=proof(clock, token=token)))
    house.door.revoked.add(caller.token_id if what == "token" else what)
    assert (await house.refusal(f"DPoP {token}", proof(clock, token=token, jti="j-2"))).error == "invalid_token"
    assert not await house.authenticate.still(caller)


async def test_where_the_store_does_not_answer_nobody_comes_in(house: House, clock: HandClock) -> None:
    token = await house.token()
    house.door.down = True
    with pytest.raises(StoreUnavailable):
        await house.authenticate(Presented(f"DPoP {token}", dpop=proof(clock, token=token)))


async def test_nonces_are_asked_for_handed_out_and_renewed(clock: HandClock) -> None:
    house = House(clock, nonces=True)
    assert house.nonces is not None
    token = await house.token()
    first = await house.refusal(f"DPoP {token}", proof(clock, token=token))
    assert (first.error, first.nonce) == ("use_dpop_nonce", house.nonces.current())
    assert (await house.refusal(None)).nonce == first.nonce  # which spares a client a round
    made = proof(clock, token=token, nonce=first.nonce)
    caller = await house.authenticate(Presented(f"DPoP {token}", dpop=made))
    assert caller.next_nonce is None
    clock.forward(PERIOD_S)
    made = proof(clock, token=token, nonce=first.nonce, jti="j-2")
    caller = await house.authenticate(Presented(f"DPoP {token}", dpop=made))
    assert caller.next_nonce == house.nonces.current() != first.nonce


async def test_a_certificates_token_is_a_bearers_where_that_is_switched_on(clock: HandClock) -> None:
    house, off, made = House(clock, certificates=True), House(clock), certificate()
    read = ClientCertificates("client-cert", clock).read(rfc9440(made))
    assert read is not None
    bound = {"x5t#S256": read.thumbprint}
    token = await house.token(bound)
    shown = {"client_certificate": rfc9440(made)}
    assert (await house.authenticate(Presented(f"Bearer {token}", **shown))).user_id == "u-1"
    for given in ({}, {"client_certificate": rfc9440(certificate())}, {"client_certificate": ":AAAA:"}):
        assert (await house.refusal(f"Bearer {token}", **given)).error == "invalid_token"
    assert (await house.refusal(f"DPoP {token}", proof(clock, token=token), **shown)).error == "invalid_token"
    assert (await off.refusal(f"Bearer {await off.token(bound)}", **shown)).error == "invalid_token"
    dpop_bound = await house.token()
    assert (await house.refusal(f"Bearer {dpop_bound}", **shown)).error == "invalid_token"
    both = await house.token({"jkt": KEY.public.thumbprint, **bound})
    assert (await house.refusal(f"Bearer {both}", **shown)).error == "invalid_token"
    assert base64.b64encode(made.public_bytes(Encoding.DER))


async def test_whoever_watches_hears_of_a_good_proof_of_a_dead_token_and_of_nothing_else(
    house: House, clock: HandClock
) -> None:
    heard: list[str] = []

    async def note(caller: Caller) -> None:
        heard.append(caller.token_id)

    watched = TokenAuthenticator(
        house.tokens, DpopProofs(BASE, None, clock), house.door, clock, resource=RESOURCE, on_revoked=note
    )
    token = await house.token()
    caller = await watched(Presented(f"DPoP {token}", dpop=proof(clock, token=token)))
    for spoiled in (
        proof(clock, token=token),
        proof(clock, key=OTHER_KEY, token=token),
        None,
    ):  # replayed, stolen, none
        with pytest.raises(Unauthenticated):
            await watched(Presented(f"DPoP {token}", dpop=spoiled))
    assert heard == []
    house.door.revoked.add("g-1")
    with pytest.raises(Unauthenticated) as caught:
        await watched(Presented(f"DPoP {token}", dpop=proof(clock, token=token, jti="j-2")))
    assert (caught.value.error, heard) == ("invalid_token", [caller.token_id])


async def test_where_nobody_said_anything_of_certificates_there_are_none(house: House, clock: HandClock) -> None:
    plain = TokenAuthenticator(house.tokens, DpopProofs(BASE, None, clock), house.door, clock, resource=RESOURCE)
    for cnf in ({"jkt": KEY.public.thumbprint}, {"x5t#S256": "A" * 43}):
        token = await house.token(cnf)
        with pytest.raises(Unauthenticated) as caught:
            await plain(Presented(f"Bearer {token}", client_certificate=":AAAA:"))
        assert caught.value.error == "invalid_token"


async def test_an_officer_comes_in_unspent_and_is_settled_once(house: House, clock: HandClock) -> None:
    token = await house.token()
    caller = await house.authenticate.unspent(Presented(f"DPoP {token}", dpop=proof(clock, token=token)))
    assert house.door.asked == []
    admission = caller.admission
    assert admission is not None
    assert (admission.token_id, admission.consent_ids) == (caller.token_id, ("c-1",))
    settled = await house.authenticate.settle(caller)
    assert (settled, settled.admission, house.door.asked) == (caller, None, [admission])
    assert await house.authenticate.settle(settled) is settled
    assert len(house.door.asked) == 1


async def test_who_spends_anything_before_the_record_is_settled_at_once(house: House, clock: HandClock) -> None:
    for kind in ("PARTNER", "SYSTEM"):
        grant = Grant("g-1", "desk", "u-1", frozenset({"graphql"}), [DETAIL], {**CLAIMS, "kind": kind})
        done = await house.tokens.issue(grant, audience=RESOURCE, cnf={"jkt": KEY.public.thumbprint})
        shown = Presented(f"DPoP {done.token}", dpop=proof(clock, token=done.token, jti=kind))
        assert (await house.authenticate.unspent(shown)).admission is None
    assert len(house.door.spent) == 2


async def test_a_proof_seen_here_is_refused_before_anything_is_fetched(house: House, clock: HandClock) -> None:
    token = await house.token()
    shown = Presented(f"DPoP {token}", dpop=proof(clock, token=token))
    caller = await house.authenticate.unspent(shown)
    with pytest.raises(Unauthenticated) as caught:
        await house.authenticate.unspent(shown)
    assert caught.value.error == "invalid_dpop_proof"
    assert house.door.spent == set()  # it is the first one's to spend
    assert (await house.authenticate.settle(caller)).admission is None
    house.door.revoked.add(caller.grant_id)
    with pytest.raises(Unauthenticated) as caught:
        await house.authenticate.unspent(shown)
    assert caught.value.error == "invalid_token"  # that its token is dead weighs more, as at the door


async def test_who_was_turned_away_with_the_record_hears_the_same_and_nothing_is_fetched_for_them_again(
    clock: HandClock,
) -> None:
    house, told = House(clock), list[Caller]()

    async def on_revoked(caller: Caller) -> None:
        told.append(caller)

    house.authenticate._on_revoked = on_revoked
    token = await house.token()

    async def comes(jti: str) -> Caller:
        return await house.authenticate.unspent(Presented(f"DPoP {token}", dpop=proof(clock, token=token, jti=jti)))

    caller = await comes("1")
    assert (await house.authenticate.turned_away(caller, NotAdmitted("REPLAYED"))).error == "invalid_dpop_proof"
    assert told == []
    house.door.revoked.add(caller.user_id)
    assert (await house.authenticate.turned_away(await comes("2"), NotAdmitted("REVOKED"))).error == "invalid_token"
    assert told == [caller]
    with pytest.raises(Unauthenticated):
        await comes("3")  # at the door
    assert told == [caller, caller]


async def test_the_memory_of_proofs_is_bounded(house: House, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator, "_SEEN", 4)
    token = await house.token()
    for number in range(9):
        shown = Presented(f"DPoP {token}", dpop=proof(clock, token=token, jti=f"j-{number}"))
        await house.authenticate.unspent(shown)
    assert len(house.authenticate._seen) == 4


async def test_a_token_of_a_key_that_is_no_longer_published_dies_though_it_was_verified(clock: HandClock) -> None:
    house = House(clock)
    token = await house.token()
    await house.authenticate.unspent(Presented(f"DPoP {token}", dpop=proof(clock, token=token, jti="1")))
    house.tokens._keys._published.clear()
    refused = await house.refusal(f"DPoP {token}", proof(clock, token=token, jti="2"))
    assert refused.error == "invalid_token"
