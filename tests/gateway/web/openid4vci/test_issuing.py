"""What is in a credential, and how one comes: in each format, in batches, encrypted, later, and by older wallets."""

from __future__ import annotations

from typing import Any

import pytest

from credentials import sd_jwt
from credentials.jose import (
    LocalSigner,
    base64url,
    dumps,
    generate_private_jwk,
    json_object,
    parse,
    unbase64url,
    verify,
)
from gateway.policy.facts import Seal
from gateway.services.credentials.deferred_credential import FETCH
from gateway.services.credentials.ports import FactsState, Fetched
from gateway.settings import Settings
from gateway.supervision.case_facts import SealEntry
from tests.fakes.issuing import (
    READY,
    Heard,
    IssuerHouse,
    Wallet,
    credentials_in,
    issuer_house,
    seconds,
)
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
DOWN = Fetched(FactsState.UNAVAILABLE, reason="residence")


async def ready(house: IssuerHouse, *types: str, **given: Any) -> Wallet:
    wallet = house.wallet(**given)
    heard = await wallet.redeem(await wallet.open((await house.offer(*types)).link))
    assert heard.status == 200, heard
    return wallet


async def kinds(house: IssuerHouse) -> list[str]:
    (offer,) = await house.offers.offers.of_person(await house.person())
    return [one.kind for one in await house.offers.offers.timeline(offer.offer_id)]


async def test_an_sd_jwt_vc_says_what_it_must(house: IssuerHouse, clock: HandClock) -> None:
    wallet = await ready(house)
    heard = await wallet.credential()
    (text,) = credentials_in(heard)
    read = sd_jwt.read(text)
    claims, header = read.jwt.claims, read.jwt.header
    assert header["typ"] == "dc+sd-jwt"
    assert header["kid"]
    assert header["x5c"]
    assert claims["iss"] == house.url
    assert claims["vct"] == f"{house.url}/credentials/types/residence/{claims['vct'].rpartition('/')[2]}"
    assert claims["vct#integrity"].startswith("sha256-")
    assert claims["iat"] == claims["nbf"] == int(clock.now().timestamp()) // 60 * 60
    assert claims["exp"] > claims["iat"]
    assert claims["cnf"] == {"jwk": dict(wallet.keys[0].public.jwk)}
    listed = claims["status"]["status_list"]
    assert listed["uri"].startswith(f"{house.url}/credentials/status/")
    assert "sub" not in claims
    (issued,) = await house.offers.issued.of_person(await house.person())
    assert listed == {"idx": issued.place.index, "uri": f"{house.url}/credentials/status/{issued.place.list_id}"}
    assert issued.jkt == wallet.keys[0].public.thumbprint
    assert issued.facts_digest == house.offers.digest.of(issued.subject_id, "residence", READY.claims)
    async with house.session.get(f"{house.url}/.well-known/jwt-vc-issuer") as response:
        keys = (await response.json())["jwks"]["keys"]
    from credentials.jose import read_key

    (key,) = [one for one in keys if one["kid"] == header["kid"]]
    plain = {name: value for name, value in key.items() if name in ("kty", "crv", "x", "y")}
    verify(read.jwt, read_key(plain))
    async with house.session.get(listed["uri"]) as response:
        assert response.status == 200


async def test_a_vcdm_credential_is_the_payload_of_its_jwt(house: IssuerHouse, clock: HandClock) -> None:
    wallet = await ready(house, "residence.w3c")
    heard = await wallet.credential("residence.w3c")
    (text,) = credentials_in(heard)
    jwt = parse(text, typ="vc+jwt")
    said = jwt.claims
    assert said["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert said["type"] == ["VerifiableCredential", "ResidenceCredential"]
    assert said["issuer"] == house.url
    assert "vc" not in said
    subject = said["credentialSubject"]
    assert subject["id"].startswith("did:jwk:")
    assert json_object(unbase64url(subject["id"].removeprefix("did:jwk:"))) == dict(wallet.keys[0].public.jwk)
    assert {name: subject[name] for name in READY.claims} == dict(READY.claims)
    assert said["validFrom"] == "2026-11-23T01:00:00Z"
    assert said["validUntil"].endswith("Z")
    listed = said["status"]["status_list"]
    assert said["credentialStatus"]["statusListCredential"] == listed["uri"]
    assert said["credentialStatus"]["statusListIndex"] == str(listed["idx"])


async def test_each_of_a_batch_has_its_own_key_place_and_salts(house: IssuerHouse) -> None:
    wallet = await ready(house)
    heard = await wallet.credential(number=10)
    read = [sd_jwt.read(text) for text in credentials_in(heard)]
    assert [one.jwt.claims["cnf"]["jwk"] for one in read] == [dict(key.public.jwk) for key in wallet.keys]
    assert len({one.jwt.claims["status"]["status_list"]["idx"] for one in read}) == 10
    texts = [disclosure.text for one in read for disclosure in one.disclosures]
    assert len(set(texts)) == len(texts)
    issued = await house.offers.issued.of_person(await house.person())
    assert len(issued) == 10
    assert len({one.batch_id for one in issued}) == 1
    assert len(house.facts.asked) == 1, "one look for the whole batch"


@pytest.mark.parametrize("name", ["kid", "x5c"])
async def test_the_key_may_be_named_in_other_ways(house: IssuerHouse, name: str) -> None:
    wallet = await ready(house)
    key = LocalSigner.generate()
    header: dict[str, Any] = {"jwk": None}
    if name == "kid":
        header["kid"] = f"did:jwk:{base64url(dumps(dict(key.public.jwk)))}#0"
    else:
        header["x5c"] = [certificate_of(key)]
    nonce = await wallet.nonce()
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(nonce, key, header=header)]})
    assert heard.status == 200, heard
    assert sd_jwt.read(credentials_in(heard)[0]).jwt.claims["cnf"]["jwk"] == dict(key.public.jwk)


async def test_the_one_proof_of_older_drafts_is_tolerated(house: IssuerHouse) -> None:
    wallet = await ready(house)
    proof = {"proof_type": "jwt", "jwt": wallet.proof(await wallet.nonce())}
    assert (await wallet.credential(proof=proof, format="dc+sd-jwt")).status == 200


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
async def test_request_and_answer_may_be_encrypted(house: IssuerHouse, enc: str) -> None:
    wallet = await ready(house)
    told = {"credential_configuration_id": "residence", "proofs": await wallet.proofs()}
    heard, opened = await wallet.encrypted("/openid4vci/credential", told, enc=enc)
    header, plain = opened
    assert heard.status == 200
    assert header["kid"] == "w-1"
    assert header["enc"] == enc
    assert "credential" in json_object(plain)["credentials"][0]
    again, opened = await wallet.encrypted("/openid4vci/credential", told)
    assert again.body["error"] == "invalid_nonce"
    assert opened is None, "a refusal is never encrypted"


@pytest.mark.parametrize(
    "spoilt", [{"alg": "RSA-OAEP"}, {"alg": None}, {"crv": "P-384"}, {"use": "sig"}, {"x": "AAAA"}, {"d": "AAAA"}]
)
async def test_an_answer_goes_to_no_key_we_cannot_use(house: IssuerHouse, spoilt: dict[str, Any]) -> None:
    wallet = await ready(house)
    from credentials.jose import encrypt

    mine = generate_private_jwk()
    public = {name: mine[name] for name in ("kty", "crv", "x", "y")} | {"alg": "ECDH-ES"} | spoilt
    body = {
        "credential_configuration_id": "residence", "proofs": await wallet.proofs(),
        "credential_response_encryption": {"jwk": public, "enc": "A256GCM"},
    }  # fmt: skip
    jwe = encrypt(dumps(body), house.room.parts.key.public_jwk(), enc="A256GCM")
    heard = await wallet.post("/openid4vci/credential", data=jwe.encode(), headers={"Content-Type": "application/jwt"})
    assert (heard.status, heard.body["error"]) == (400, "invalid_encryption_parameters")


async def test_where_encryption_is_demanded_nothing_goes_in_the_open(house: IssuerHouse) -> None:
    wallet = await ready(house)
    on = house.room.credential._on
    from dataclasses import replace

    house.room.credential._on = replace(on, encryption_required=True)
    heard = await wallet.credential()
    assert (heard.status, heard.body["error"]) == (400, "invalid_encryption_parameters")
    told = {"credential_configuration_id": "residence", "proofs": await wallet.proofs()}
    heard, opened = await wallet.encrypted("/openid4vci/credential", told)
    assert heard.status == 200
    assert opened is not None


@pytest.mark.parametrize("state", [FactsState.NOT_MET, FactsState.REFUSED])
async def test_a_no_says_nothing_of_why(house: IssuerHouse, state: FactsState) -> None:
    house.facts.says = Fetched(state, reason="anything")
    wallet = await ready(house)
    heard = await wallet.credential()
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert "anything" not in str(heard.body)
    assert (await kinds(house))[-1] == "FAILED"


async def test_a_source_that_is_down_defers_and_the_wallet_gets_it_later(house: IssuerHouse, clock: HandClock) -> None:
    house.facts.says = Fetched(FactsState.UNAVAILABLE, retry_at=seconds(clock, 120))
    wallet = await ready(house)
    heard = await wallet.credential()
    assert heard.status == 202
    assert heard.body["interval"] == 120
    assert "credentials" not in heard.body
    transaction_id = heard.body["transaction_id"]
    clock.forward(60)
    early = await wallet.deferred(transaction_id)
    assert (early.status, early.body) == (202, {"transaction_id": transaction_id, "interval": 60})
    assert len(house.facts.asked) == 1, "before its time the source is left alone"
    clock.forward(61)
    house.facts.says = READY
    done = await wallet.deferred(transaction_id)
    assert done.status == 200, done
    assert sd_jwt.read(credentials_in(done)[0]).jwt.claims["cnf"]["jwk"] == dict(wallet.keys[0].public.jwk)
    assert (await wallet.notify(done.body["notification_id"])).status == 204
    again = await wallet.deferred(transaction_id)
    assert (again.status, again.body["error"]) == (400, "invalid_transaction_id")
    assert await kinds(house) == ["CREATED", "OPENED", "REDEEMED", "DEFERRED", "ISSUED", "STORED"]


async def test_the_token_lives_as_long_as_something_is_deferred(house: IssuerHouse, clock: HandClock) -> None:
    house.facts.says = DOWN
    wallet = await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    clock.forward(6 * 86_400)
    house.facts.says = READY
    assert (await wallet.deferred(transaction_id)).status == 200


async def test_a_deferred_request_has_its_end(house: IssuerHouse, clock: HandClock) -> None:
    house.facts.says = DOWN
    wallet = await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    clock.forward(7 * 86_400 + 1)
    assert (await wallet.deferred(transaction_id)).status == 401, "the token is past with it"


async def test_another_grants_transaction_is_unknown(house: IssuerHouse) -> None:
    house.facts.says = DOWN
    wallet, other = await ready(house), await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    for spoilt in (transaction_id, "x", transaction_id + "x"):
        heard = await other.deferred(spoilt)
        assert (heard.status, heard.body["error"]) == (400, "invalid_transaction_id")


async def test_what_will_never_be_is_said_once_and_for_all(house: IssuerHouse, clock: HandClock) -> None:
    house.facts.says = DOWN
    wallet = await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    clock.forward(61)
    house.facts.says = Fetched(FactsState.NOT_MET)
    heard = await wallet.deferred(transaction_id)
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert (await wallet.deferred(transaction_id)).body["error"] == "invalid_transaction_id"


async def test_a_doubted_fact_waits_too(house: IssuerHouse) -> None:
    house.facts.says = Fetched(FactsState.DOUBTED)
    wallet = await ready(house)
    assert (await wallet.credential()).status == 202


async def test_of_many_polls_one_is_given_it(house: IssuerHouse, clock: HandClock) -> None:
    import asyncio

    house.facts.says = DOWN
    wallet = await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    clock.forward(61)
    house.facts.says = READY
    heard = await asyncio.gather(*(wallet.deferred(transaction_id) for _ in range(8)))
    assert [one.status for one in heard].count(200) <= 1
    if 200 not in [one.status for one in heard]:
        assert (await wallet.deferred(transaction_id)).status == 200
    assert len(await house.offers.issued.of_person(await house.person())) == 1, "and signed it was once"


async def run_due(house: IssuerHouse) -> int:
    """Every job of ours that is due, worked off; how many."""
    done = 0
    while (job := await house.store.jobs.lease([FETCH], worker="w", seconds=30)) is not None:

        async def renew(progress: float | None = None) -> None: ...

        await house.room.handlers[FETCH](job, renew)
        assert await house.store.jobs.finish(job)
        done += 1
    return done


async def test_the_background_fetches_when_the_source_is_back_and_tells_the_phone(
    house: IssuerHouse, clock: HandClock
) -> None:
    subject_id = await house.person()
    await house.store.phones.enrol(subject_id, "13800000000", by="u-1", org="agency-1", at=clock.now())
    house.facts.says = DOWN
    wallet = await ready(house)
    transaction_id = (await wallet.credential()).body["transaction_id"]
    assert await run_due(house) == 0
    clock.forward(61)
    assert await run_due(house) == 1, "still down"
    house.facts.says = READY
    clock.forward(61)
    assert await run_due(house) == 1
    told = [one for one in await house.store.inbox.latest() if one.kind == "CREDENTIAL_READY"]
    assert len(told) == 1
    asked = len(house.facts.asked)
    clock.forward(3600)
    assert await run_due(house) == 0
    assert (await wallet.deferred(transaction_id)).status == 200
    assert len(house.facts.asked) == asked, "it was ready, and nobody was asked again"


class HandSeals:
    """`Seals` by hand."""

    def __init__(self) -> None:
        self.says: bool | None = False
        self.refuses: Exception | None = None

    async def allow(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        return self.says


async def test_what_no_witness_saw_yet_is_kept_until_they_did(settings: Settings, clock: HandClock) -> None:
    seals = HandSeals()
    async with issuer_house(settings, clock, seals=seals) as house:
        wallet = await ready(house)
        heard = await wallet.credential()
        assert heard.status == 202
        assert "credentials" not in heard.body
        transaction_id = heard.body["transaction_id"]
        assert (await wallet.deferred(transaction_id)).status == 202
        seals.says = True
        done = await wallet.deferred(transaction_id)
        assert done.status == 200
        assert len(credentials_in(done)) == 1
        assert len(house.facts.asked) == 1
        assert len(await house.offers.issued.of_person(await house.person())) == 1


async def test_where_nothing_may_be_granted_nobody_is_asked(settings: Settings, clock: HandClock) -> None:
    from gateway.services.ledger.ports import LedgerUnwitnessed

    seals = HandSeals()
    seals.says = True
    async with issuer_house(settings, clock, seals=seals) as house:
        wallet = await ready(house)
        seals.refuses = LedgerUnwitnessed("no quorum")
        heard = await wallet.credential()
        assert (heard.status, heard.body["error"]) == (503, "temporarily_unavailable")
        assert "Retry-After" in heard.headers
        assert house.facts.asked == []


async def test_a_notification_may_be_said_again_and_by_its_own_wallet_alone(house: IssuerHouse) -> None:
    wallet, other = await ready(house), await ready(house)
    told = (await wallet.credential()).body["notification_id"]
    for _ in range(3):
        assert (await wallet.notify(told)).status == 204
    assert (await wallet.notify(told, "credential_deleted")).status == 204
    stranger = await other.notify(told)
    assert (stranger.status, stranger.body["error"]) == (400, "invalid_notification_id")
    wrong = await wallet.notify(told, "credential_eaten")
    assert (wrong.status, wrong.body["error"]) == (400, "invalid_notification_request")
    lines: list[str] = []
    for offer in await house.offers.offers.of_person(await house.person()):
        lines += [one.kind for one in await house.offers.offers.timeline(offer.offer_id)]
    assert lines.count("STORED") == 1
    assert lines.count("DELETED") == 1


async def test_an_offer_is_read_again_and_again_and_noted_once(house: IssuerHouse, clock: HandClock) -> None:
    offered = await house.offer()
    wallet = house.wallet()
    assert len({str(await wallet.open(offered.link)) for _ in range(5)}) == 1
    assert (await kinds(house)).count("OPENED") == 1
    clock.forward(7 * 86_400 + 1)
    address = f"{house.url}/openid4vci/offers/{offered.offer.reference}"
    for spoilt in (address, address[:-1] + ("A" if address[-1] != "A" else "B"), f"{house.url}/openid4vci/offers/x"):
        async with house.session.get(spoilt) as response:
            assert response.status == 404
            assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("name", "masked"), [("张三", "张*"), ("欧阳修文", "欧***"), ("李", "*")])
@pytest.mark.parametrize("flow", ["pre-authorized_code", "authorization_code"])
async def test_whoever_opens_a_link_sees_whose_it_is_and_learns_no_name(
    house: IssuerHouse, name: str, masked: str, flow: str
) -> None:
    subject_id = await house.person()
    await house.store.subjects.remember(subject_id, house.id_no, name)
    told = await house.wallet().open((await house.offer(flow=flow)).link)
    assert told["masked_name"] == masked
    assert name not in str(told).replace(masked, "")
    assert house.id_no not in str(told)
    assert {"credential_issuer", "credential_configuration_ids", "grants"} < told.keys()


@pytest.mark.parametrize("sealed", [False, True])
async def test_an_offer_to_somebody_whose_name_is_not_kept_or_sealed_names_nobody(
    house: IssuerHouse, sealed: bool
) -> None:
    if sealed:
        subject_id = await house.person()
        await house.store.subjects.remember(subject_id, house.id_no, "张三")
        await house.store.cases.declare([SealEntry(subject_id, Seal.SEALED_PUBLIC_ORDER)])
    told = await house.wallet().open((await house.offer()).link)
    assert told.keys() == {"credential_issuer", "credential_configuration_ids", "grants"}


async def test_a_machines_look_is_no_opening(house: IssuerHouse) -> None:
    offered = await house.offer()
    async with house.session.head(f"{house.url}/openid4vci/offers/{offered.offer.reference}") as response:
        assert response.status == 200
    assert await kinds(house) == ["CREATED"]


async def test_dpop_nonces_are_handed_out_where_they_are_on(settings: Settings, clock: HandClock) -> None:
    from gateway.oauth.jose import PrivateKey, access_token_hash

    async with issuer_house(settings, clock, dpop_nonces="everywhere") as house:
        wallet = house.wallet(dpop=PrivateKey.generate())
        offer = await wallet.open((await house.offer()).link)
        first = await wallet.redeem(offer)
        assert first.body["error"] == "use_dpop_nonce"
        proof = wallet.proof_of_key("POST", "/oauth/token", nonce=first.headers["DPoP-Nonce"])
        code = next(iter(offer["grants"].values()))["pre-authorized_code"]
        form = {"grant_type": next(iter(offer["grants"])), "pre-authorized_code": code}
        async with house.session.post(f"{house.url}/oauth/token", data=form, headers={"DPoP": proof}) as response:
            wallet.token, wallet.token_type = (await response.json())["access_token"], "DPoP"
        heard = await wallet.credential()
        assert (heard.status, heard.body["error"]) == (401, "use_dpop_nonce")
        async with house.session.post(f"{house.url}/openid4vci/nonce") as response:
            nonce = response.headers["DPoP-Nonce"]
        told = {"credential_configuration_id": "residence", "proofs": await wallet.proofs()}
        proof = wallet.proof_of_key("POST", "/openid4vci/credential", nonce=nonce, ath=access_token_hash(wallet.token))
        good: Heard = await wallet.post("/openid4vci/credential", told, headers={"DPoP": proof})
        assert good.status == 200


def certificate_of(key: LocalSigner) -> str:
    """Self-signed, base64 of DER."""
    import base64
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.derive_private_key(int.from_bytes(unbase64url(key.private_jwk()["d"]), "big"), ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wallet")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=3650))
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()
