"""RFC 9901's own example, then properties, then the same credentials in another's hands (PyPI `sd-jwt`)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from credentials import key_binding, sd_jwt
from credentials.errors import CredentialsError, SdJwtInvalid
from credentials.jose import LocalSigner, base64url, dumps, read_key, sign

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/sd_jwt/rfc9901.json").read_text("utf-8"))
ISSUER, HOLDER = LocalSigner.generate(), LocalSigner.generate()
NOW = datetime(2026, 11, 26, tzinfo=UTC)
_NAMES = st.text(max_size=12).filter(lambda name: name not in {"_sd", "...", "_sd_alg", *sd_jwt.NEVER_SELECTIVE})
_WHOLE = st.integers(-(2**53), 2**53)
_VALUES = st.recursive(
    st.none() | st.booleans() | _WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)


def test_the_rfcs_own_presentation_is_read_as_the_rfc_says() -> None:
    taken = sd_jwt.read(VECTOR["presentation"], typ=VECTOR["typ"])
    verified = sd_jwt.check(taken, read_key(VECTOR["issuer"]))
    assert {name: verified.claims[name] for name in VECTOR["claims"]} == VECTOR["claims"]
    assert verified.claims.keys() - VECTOR["claims"].keys() == {"cnf"}
    assert set(verified.disclosed) == {("family_name",), ("given_name",), ("address",), ("nationalities", 0)}
    at = datetime.fromtimestamp(VECTOR["iat"], UTC)
    key_binding.check(taken, verified, aud=VECTOR["aud"], nonce=VECTOR["nonce"], now=at)
    again = sd_jwt.check(taken, read_key(VECTOR["issuer"]))  # reading twice is the same
    assert again == verified


def test_the_rfcs_own_disclosure_has_its_digest() -> None:
    known = VECTOR["disclosure"]
    assert sd_jwt.digest(known["text"]) == known["digest"]
    assert json.loads(base64url_text(known["text"])) == [known["salt"], "given_name", "John"]


def base64url_text(text: str) -> str:
    from credentials.jose import unbase64url

    return unbase64url(text).decode()


@given(st.dictionaries(_NAMES, _VALUES, max_size=5), st.dictionaries(_NAMES, _VALUES, max_size=5), st.integers(0, 3))
def test_what_is_issued_is_read_again(always: dict[str, Any], selective: dict[str, Any], decoys: int) -> None:
    selective = {name: value for name, value in selective.items() if name not in always}
    text = sd_jwt.issue(ISSUER, always, selective, decoys=decoys)
    verified = sd_jwt.check(sd_jwt.read(text), ISSUER.public)
    assert verified.claims == {**always, **selective}
    assert set(verified.disclosed) == {(name,) for name in selective}


@given(st.dictionaries(_NAMES, st.integers(), min_size=1, max_size=6), st.data())
def test_any_choice_of_disclosures_in_any_order_is_read(selective: dict[str, int], data: st.DataObject) -> None:
    jwt, *parts, _ = sd_jwt.issue(ISSUER, {}, {name: str(value) for name, value in selective.items()}).split("~")
    chosen = data.draw(st.lists(st.sampled_from(parts), unique=True))
    verified = sd_jwt.check(sd_jwt.read("~".join([jwt, *chosen, ""])), ISSUER.public)
    assert len(verified.claims) == len(chosen)


@settings(max_examples=300)
@given(st.data())
def test_a_character_changed_anywhere_is_never_believed_and_never_raises_another_error(data: st.DataObject) -> None:
    text = sd_jwt.issue(ISSUER, {"a": 1}, {"b": "云", "c": {"d": [1]}})
    at = data.draw(st.integers(0, len(text) - 2))
    changed = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda one: one != text[at]))
    with pytest.raises(CredentialsError):
        sd_jwt.check(sd_jwt.read(text[:at] + changed + text[at + 1 :]), ISSUER.public)


@given(st.text(max_size=60))
def test_no_text_raises_another_error(text: str) -> None:
    with pytest.raises(CredentialsError):
        sd_jwt.check(sd_jwt.read(text), ISSUER.public)


@pytest.mark.parametrize("name", sorted(sd_jwt.NEVER_SELECTIVE))
def test_what_must_be_open_is_never_hidden(name: str) -> None:
    with pytest.raises(SdJwtInvalid):
        sd_jwt.issue(ISSUER, {}, {name: "x"})


@pytest.mark.parametrize("claims", [{"_sd": []}, {"a": {"...": 1}}, {"a": [{"_sd_alg": "x"}]}])
def test_the_mechanisms_own_names_are_nobodys_claims(claims: dict[str, Any]) -> None:
    for always, selective in ((claims, {}), ({}, claims)):
        with pytest.raises(SdJwtInvalid):
            sd_jwt.issue(ISSUER, always, selective)


def test_salts_are_new_each_time_and_digests_do_not_follow_the_order() -> None:
    texts = [sd_jwt.issue(ISSUER, {}, {"a": 1, "b": 2}) for _ in range(20)]
    disclosures = [part for text in texts for part in text.split("~")[1:-1]]
    assert len(set(disclosures)) == 40
    digests = [sd_jwt.read(text).jwt.claims["_sd"] for text in texts]
    assert all(one == sorted(one) for one in digests)


@pytest.mark.parametrize(
    "text",
    [
        "~" * 60_000,
        "." * 60_000,
        "a" * 65_000 + "~",
        sign(ISSUER, {"typ": sd_jwt.TYP}, b"[" * 20_000 + b"]" * 20_000) + "~",
        sign(ISSUER, {"typ": sd_jwt.TYP}, b'{"a":' * 8_000 + b"1" + b"}" * 8_000) + "~",
        sign(ISSUER, {"typ": sd_jwt.TYP}, dumps({"_sd": ["x"] * 9_000})) + "~",
        sign(ISSUER, {"typ": sd_jwt.TYP}, b'{"a":' + b"9" * 40_000 + b"}") + "~",
        "~".join([sign(ISSUER, {"typ": sd_jwt.TYP}, b"{}"), *[base64url(b"[" * 200)] * 200, ""]),
    ],
    ids=["tildes", "dots", "long", "deep list", "deep object", "many digests", "long number", "deep disclosures"],
)
def test_huge_and_deep_input_is_refused_in_bounded_time(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(CredentialsError):
        sd_jwt.check(sd_jwt.read(text), ISSUER.public)
    assert time.process_time() - begun < 0.5


# ---- the same in another's hands ----


def _pypi_key(signer: LocalSigner) -> Any:
    return JWK(**signer.private_jwk())


def test_what_we_issue_pypi_sd_jwt_verifies() -> None:
    always = {"iss": "https://yimen.example", "exp": 4_000_000_000, "cnf": {"jwk": dict(HOLDER.public.jwk)}}
    text = sd_jwt.issue(ISSUER, always, {"county": "云溪县", "since": "2024-03-01", "deep": {"a": [1, 2]}})
    shown = key_binding.bind(HOLDER, text, aud="https://bank.example", nonce="n-1", at=NOW)
    theirs = SDJWTVerifier(shown, lambda *_: JWK(**ISSUER.public.jwk), "https://bank.example", "n-1")
    ours = sd_jwt.check(sd_jwt.read(shown), ISSUER.public)
    assert theirs.get_verified_payload() == ours.claims


def test_what_pypi_sd_jwt_issues_and_shows_we_verify() -> None:
    claims = {
        "iss": "https://yimen.example",
        SDObj("county"): "云溪县",
        "address": {SDObj("street"): "南街", "zip": "1"},
        "nationalities": [SDObj("CN"), SDObj("US")],
        SDObj("nested"): {SDObj("inner"): {SDObj("leaf"): 1}},
    }
    made = SDJWTIssuer(
        claims, _pypi_key(ISSUER), holder_key=JWK(**HOLDER.public.jwk), add_decoy_claims=True,
        extra_header_parameters={"typ": sd_jwt.TYP},
    )  # fmt: skip
    holder = SDJWTHolder(made.sd_jwt_issuance)
    asked = {
        "county": True,
        "address": {"street": True},
        "nationalities": [False, True],
        "nested": {"inner": {"leaf": True}},
    }
    holder.create_presentation(asked, "n-1", "https://bank.example", _pypi_key(HOLDER))
    taken = sd_jwt.read(holder.sd_jwt_presentation)
    verified = sd_jwt.check(taken, ISSUER.public)
    at = datetime.now(UTC)
    key_binding.check(taken, verified, aud="https://bank.example", nonce="n-1", now=at)
    said = {name: value for name, value in verified.claims.items() if name not in ("iss", "cnf")}
    assert said == {
        "county": "云溪县", "address": {"street": "南街", "zip": "1"}, "nationalities": ["US"],
        "nested": {"inner": {"leaf": 1}},
    }  # fmt: skip


@pytest.mark.parametrize("depth", [17, 200, 500, 1000])
def test_a_disclosure_of_any_depth_is_refused_and_no_fault_of_ours(depth: int) -> None:
    text = base64url(f'["salt","name",{"[" * depth}{"]" * depth}]'.encode())
    jwt = sign(ISSUER, {"typ": sd_jwt.TYP}, dumps({"_sd": [sd_jwt.digest(text)], "_sd_alg": "sha-256"}))
    with pytest.raises(SdJwtInvalid) as refused:
        sd_jwt.check(sd_jwt.read(f"{jwt}~{text}~"), ISSUER.public)
    assert refused.value.why == "deep"
