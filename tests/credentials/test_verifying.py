"""One credential, made as the gateway makes it, then spoilt in one way at a time."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials import key_binding, sd_jwt
from credentials.checked import Outcome, Verdict
from credentials.jose import LocalSigner, base64url, dumps, sign
from credentials.kit import read_kit
from credentials.status_list import make_token, pack
from credentials.trust import HeldStatus, KnownType, Statuses, Trust
from credentials.verifying import Binding, verify, with_status
from tests.credentials.spoilings import town

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
ISS = "https://yimen.example"
VCT = f"{ISS}/credentials/types/residence/1"
LIST = f"{ISS}/credentials/status/1"
ISSUER, HOLDER, OTHER = LocalSigner.generate(), LocalSigner.generate(), LocalSigner.generate()
TRUST = Trust(issuers={ISS: {ISSUER.kid: ISSUER.public}}, types={VCT: KnownType(VCT, "sha256-abc")})
BINDING = Binding("x509_hash:abc", "n-1")


def claims(**more: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    return {
        "iss": ISS, "iat": at - 60, "nbf": at - 60, "exp": at + 3600, "vct": VCT, "vct#integrity": "sha256-abc",
        "cnf": {"jwk": dict(HOLDER.public.jwk)}, "status": {"status_list": {"idx": 5, "uri": LIST}}, **more,
    }  # fmt: skip


def issued(signer: LocalSigner = ISSUER, **more: Any) -> str:
    always = {name: value for name, value in claims(**more).items() if value is not None}
    return sd_jwt.issue(signer, always, {"county": "云溪县", "lived_12_months": True}, header={"kid": signer.kid})


def presented(text: str | None = None, aud: str = BINDING.aud, nonce: str = BINDING.nonce, at: datetime = NOW) -> str:
    return key_binding.bind(HOLDER, text or issued(), aud=aud, nonce=nonce, at=at)


def statuses(
    value: int = 0, *, age_s: int = 60, lasts_s: int = 3600, uri: str = LIST, signer: LocalSigner = ISSUER
) -> Statuses:
    at = NOW - timedelta(seconds=age_s)
    token = make_token(
        signer, uri, pack(64, {5: value}), issued_at=at, expires_at=at + timedelta(seconds=lasts_s), ttl_s=30
    )
    return Statuses({LIST: HeldStatus(token, at)})


def test_a_good_one_is_good_and_everything_about_it_is_said() -> None:
    checked = verify(presented(), trust=TRUST, now=NOW, status=statuses(), binding=BINDING)
    assert checked.verdict is Verdict.GOOD
    assert checked.reasons == ()
    assert [check.name for check in checked.checks] == [
        "form", "issuer_key", "signature", "disclosures", "dates", "type", "holder", "key_binding", "status",
    ]  # fmt: skip
    assert checked.claims["county"] == "云溪县"
    assert set(checked.disclosed) == {("county",), ("lived_12_months",)}
    assert checked.issuer is not None
    assert checked.issuer.identifier == ISS
    assert checked.issuer.road == "metadata"
    assert checked.status is not None
    assert checked.status.age_s(NOW) == 60
    assert checked.binding is not None
    assert checked.binding["nonce"] == "n-1"
    assert checked.holder == HOLDER.public.jwk
    assert checked.valid_until == NOW + timedelta(hours=1)


def test_the_status_may_be_looked_at_afterwards() -> None:
    first = verify(presented(), trust=TRUST, now=NOW, binding=BINDING)
    assert first.sound
    assert first.verdict is Verdict.UNKNOWN
    assert first.reasons == ("status:not_looked",)
    assert first.status_reference is not None
    assert first.status_reference.uri == LIST
    assert with_status(first, statuses(), trust=TRUST, now=NOW).verdict is Verdict.GOOD
    assert with_status(first, statuses(1), trust=TRUST, now=NOW).reasons == ("status:revoked",)


SPOILT_STATUS = [
    (statuses(1), Verdict.BAD, "revoked"),
    (statuses(2), Verdict.BAD, "suspended"),
    (statuses(3), Verdict.BAD, "other"),
    (statuses(0, age_s=7200), Verdict.UNKNOWN, "stale"),
    (statuses(1, age_s=7200), Verdict.BAD, "revoked"),
    (statuses(2, age_s=7200), Verdict.UNKNOWN, "stale"),
    (statuses(0, age_s=-600), Verdict.UNKNOWN, "exp"),
    (statuses(0, uri=LIST + "2"), Verdict.UNKNOWN, "sub"),
    (statuses(0, signer=OTHER), Verdict.UNKNOWN, "kid_unknown"),
    (Statuses({}), Verdict.UNKNOWN, "no_list"),
    (Statuses({LIST: HeldStatus("a.b.c")}), Verdict.UNKNOWN, "base64"),
]


@pytest.mark.parametrize(("source", "verdict", "why"), SPOILT_STATUS)
def test_a_status_that_is_not_good(source: Statuses, verdict: Verdict, why: str) -> None:
    checked = verify(presented(), trust=TRUST, now=NOW, status=source, binding=BINDING)
    assert (checked.verdict, checked.reasons) == (verdict, (f"status:{why}",))


def test_an_index_outside_the_list_is_refused() -> None:
    text = issued(status={"status_list": {"idx": 64, "uri": LIST}})
    assert verify(text, trust=TRUST, now=NOW, status=statuses()).reasons == ("status:index",)


def test_a_list_older_than_one_allows_says_nothing_about_the_valid() -> None:
    text = issued()
    old = statuses(0, age_s=600)
    assert verify(text, trust=TRUST, now=NOW, status=old).verdict is Verdict.GOOD
    short = timedelta(minutes=5)
    assert verify(text, trust=TRUST, now=NOW, status=old, status_max_age=short).reasons == ("status:stale",)


SPOILT = [
    (lambda: issued(exp=int(NOW.timestamp())), "dates:expired"),
    (lambda: issued(nbf=int(NOW.timestamp()) + 61), "dates:not_yet"),
    (lambda: issued(iat=int(NOW.timestamp()) + 61), "dates:issued_later"),
    (lambda: issued(exp=True), "dates:form"),
    (lambda: issued(exp=1e300), "dates:form"),
    (lambda: issued(exp="2027-01-01"), "dates:form"),
    (lambda: issued(vct=None), "type:vct"),
    (lambda: issued(vct=VCT + "0"), "type:vct_unknown"),
    (lambda: issued(**{"vct#integrity": "sha256-abd"}), "type:integrity"),
    (lambda: issued(iss="https://other.example"), "issuer_key:issuer_unknown"),
    (lambda: issued(iss=["https://yimen.example"]), "issuer_key:iss"),
    (lambda: issued(iss=None), "issuer_key:no_key"),
    (lambda: issued(OTHER), "issuer_key:kid_unknown"),
    (lambda: issued(cnf={"jwk": {**HOLDER.public.jwk, "d": "AA"}}), "holder:cnf"),
    (lambda: issued(cnf={"kid": "x"}), "holder:cnf"),
    (lambda: issued() + "a.b.c", "key_binding:base64"),
    (lambda: presented(at=NOW)[:-3] + "AAA", "key_binding:signature"),
    (lambda: issued().replace("~", "~~", 1), "form:disclosure"),
    (lambda: issued().rstrip("~"), "key_binding:"),
    (lambda: "", "form:format"),
    (lambda: "x" * 70_000, "form:format"),
]


@pytest.mark.parametrize(("make", "reason"), SPOILT)
def test_spoilt_in_one_way(make: Any, reason: str) -> None:
    checked = verify(make(), trust=TRUST, now=NOW, status=statuses())
    assert checked.verdict is not Verdict.GOOD
    assert any(found.startswith(reason) for found in checked.reasons), checked.reasons


BOUND_WRONGLY = [
    (lambda: issued(), "missing"),
    (lambda: presented(aud="x509_hash:abd"), "aud"),
    (lambda: presented(nonce="n-2"), "nonce"),
    (lambda: presented(at=NOW - timedelta(minutes=6)), "iat"),
    (lambda: presented(at=NOW + timedelta(minutes=2)), "iat"),
    (lambda: presented(issued(cnf={"jwk": dict(OTHER.public.jwk)})), "signature"),
]


@pytest.mark.parametrize(("make", "why"), BOUND_WRONGLY)
def test_bound_wrongly(make: Any, why: str) -> None:
    checked = verify(make(), trust=TRUST, now=NOW, status=statuses(), binding=BINDING)
    assert checked.reasons == (f"key_binding:{why}",)
    assert checked.binding is None


def test_a_disclosure_less_than_was_bound_is_noticed() -> None:
    jwt, first, _second, bound = presented().split("~")
    assert (
        verify("~".join([jwt, first, bound]), trust=TRUST, now=NOW, binding=BINDING).reasons[0] == "key_binding:sd_hash"
    )


def test_nothing_unsigned_is_shown() -> None:
    jwt, *rest = issued().split("~")
    head, payload, _ = jwt.split(".")
    forged = "~".join([f"{head}.{payload}.{base64url(bytes(64))}", *rest])
    checked = verify(forged, trust=TRUST, now=NOW, status=statuses())
    assert checked.reasons == ("signature:signature",)
    assert not checked.claims
    assert checked.issuer is None


def test_what_a_compromised_key_signed_later_is_not_believed_nor_its_lists() -> None:
    def with_cut_off(at: datetime) -> Trust:
        return Trust(issuers=TRUST.issuers, types=TRUST.types, cut_offs={ISSUER.public.thumbprint: at})

    text = issued()
    assert verify(text, trust=with_cut_off(NOW - timedelta(hours=1)), now=NOW).reasons == ("issuer_key:compromised",)
    assert verify(text, trust=with_cut_off(NOW), now=NOW, status=statuses()).verdict is Verdict.GOOD
    between = verify(text, trust=with_cut_off(NOW - timedelta(seconds=55)), now=NOW, status=statuses(age_s=50))
    assert between.reasons == ("status:compromised",)
    undated = issued(iat=None)
    assert verify(undated, trust=with_cut_off(NOW), now=NOW).reasons == ("issuer_key:compromised",)


def test_a_w3c_credential_is_read_by_its_own_rules() -> None:
    said = {
        "@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential"], "issuer": {"id": ISS},
        "validFrom": "2026-11-26T02:00:00Z", "validUntil": "2026-11-26T12:00:00+08:00",
        "credentialSubject": {"county": "云溪县"},
    }  # fmt: skip

    def made(**more: Any) -> str:
        return sign(ISSUER, {"typ": "vc+jwt", "kid": ISSUER.kid}, dumps({**said, **more}))

    good = verify(made(), trust=TRUST, now=NOW)
    assert good.verdict is Verdict.GOOD
    assert good.valid_until == datetime(2026, 11, 26, 4, tzinfo=UTC)
    assert verify(made(validUntil="2026-11-26T11:00:00+08:00"), trust=TRUST, now=NOW).reasons == ("dates:expired",)
    assert verify(made(validUntil="2026-11-27T11:00:00"), trust=TRUST, now=NOW).reasons == ("dates:form",)
    assert verify(made(type=["Other"]), trust=TRUST, now=NOW).reasons == ("type:form",)
    assert verify(made(), trust=TRUST, now=NOW, binding=BINDING).reasons == ("key_binding:missing",)


def test_every_check_after_a_failure_that_rests_on_it_is_not_made() -> None:
    checked = verify(issued(OTHER), trust=TRUST, now=NOW, status=statuses())
    assert [check.name for check in checked.checks if check.outcome is not Outcome.FAILED] == ["form"]


def test_a_chain_read_before_ends_at_its_own_second_all_the_same() -> None:
    from cryptography import x509

    made = town()
    kit = read_kit(made.kit)
    ends = x509.load_der_x509_certificate(b64decode(made.issuer.x5c[0])).not_valid_after_utc
    text = made.issued(iat=None, nbf=None, exp=None)
    for _ in range(2):  # the second time it is known
        assert verify(text, trust=kit.trust, now=made.now).sound
        assert verify(text, trust=kit.trust, now=ends).sound
        assert verify(text, trust=kit.trust, now=ends + timedelta(seconds=1)).reasons == ("issuer_key:dates",)
    assert not verify(text, trust=Trust(types=kit.trust.types), now=made.now).sound
