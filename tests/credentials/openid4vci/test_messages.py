"""What wallets send and what we say of ourselves: forms, boundaries, properties."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.credential_type import Text
from credentials.errors import RequestInvalid
from credentials.jose import LocalSigner, decrypt, dumps, encrypt, generate_private_jwk, json_object, parse, verify
from credentials.openid4vci.encryption import RequestKey, encrypt_response, read_response_encryption
from credentials.openid4vci.metadata import IssuerFacts, in_one_language, issuer_metadata, signed_metadata
from credentials.openid4vci.offer import authorization_offer, other_link, pre_authorized_offer, wallet_link
from credentials.openid4vci.refused import Refused
from credentials.openid4vci.request import (
    EVENTS,
    read_credential_request,
    read_deferred_request,
    read_notification,
)
from credentials.type_files import load_types

ISSUER = "https://gw.example/gov"
KEY = RequestKey(bytes(range(32)))
TYPES = load_types()
FACTS = IssuerFacts(ISSUER, Text("一门", "yimen"), 10, KEY)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        "credential_identifier",
        "credential_configuration_id",
        "proofs",
        "proof",
        "credential_response_encryption",
        "format",
    ]
)
CODES = {"invalid_credential_request", "invalid_proof", "invalid_encryption_parameters"}


def outcome(read: Callable[..., Any], *args: Any, **given_: Any) -> tuple[Any, str]:
    """What was read, or why not."""
    try:
        return read(*args, **given_), ""
    except Refused as refused:
        return None, refused.why


@given(st.one_of(JSON, st.dictionaries(MEMBERS, JSON)), st.booleans(), st.booleans())
def test_any_request_is_read_or_refused_by_a_code_of_the_standard(value: Any, encrypted: bool, required: bool) -> None:
    read, why = outcome(read_credential_request, value, encrypted=encrypted, most=10, encryption_required=required)
    if read is None:
        assert why in CODES
    else:
        assert (read.identifier is None) != (read.configuration_id is None)
        assert 0 < len(read.proofs) <= 10


@given(st.one_of(JSON, st.dictionaries(st.sampled_from(["transaction_id", "notification_id", "event"]), JSON)))
def test_any_other_message_too(value: Any) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read_notification(value)
    assert caught.value.why == "invalid_notification_request"
    _, why = outcome(read_deferred_request, value, encrypted=False)
    assert why in ("", "invalid_transaction_id", "invalid_encryption_parameters")


def test_a_good_request_is_read() -> None:
    read = read_credential_request(
        {"credential_configuration_id": "residence", "proofs": {"jwt": ["a", "b"]}, "else": 1}, encrypted=False, most=2
    )
    assert (read.configuration_id, read.identifier, read.proof_type, read.proofs, read.legacy) == (
        "residence", None, "jwt", ("a", "b"), False,
    )  # fmt: skip
    with pytest.raises(Refused, match="invalid_credential_request"):
        read_credential_request(
            {"credential_configuration_id": "residence", "proofs": {"jwt": ["a", "b"]}}, encrypted=False, most=1
        )


def test_an_event_is_one_of_three() -> None:
    for event in EVENTS:
        assert read_notification({"notification_id": "n", "event": event, "event_description": "x"}).event == event
    for spoilt in ({"event": "x"}, {"event": EVENTS[0], "event_description": 7}, {"notification_id": ""}):
        with pytest.raises(Refused):
            read_notification({"notification_id": "n", "event": EVENTS[0]} | spoilt)


def test_an_open_request_may_not_ask_for_an_encrypted_answer() -> None:
    mine = generate_private_jwk()
    wanted = {"jwk": {**{n: mine[n] for n in ("kty", "crv", "x", "y")}, "alg": "ECDH-ES"}, "enc": "A128GCM"}
    told = {"transaction_id": "t", "credential_response_encryption": wanted}
    assert read_deferred_request(told, encrypted=True).encryption is not None
    with pytest.raises(Refused, match="invalid_encryption_parameters"):
        read_deferred_request(told, encrypted=False)
    with pytest.raises(Refused, match="invalid_encryption_parameters"):
        read_deferred_request({"transaction_id": "t"}, encrypted=True, encryption_required=True)


def test_every_replica_has_the_key_requests_are_encrypted_to() -> None:
    other = RequestKey(bytes(range(32)))
    assert other.public_jwk() == KEY.public_jwk()
    assert "d" not in KEY.public_jwk()
    assert other.open(encrypt(b"{}", KEY.public_jwk(), enc="A128GCM")) == b"{}"
    with pytest.raises(Refused):
        RequestKey(bytes(32)).open(encrypt(b"{}", KEY.public_jwk(), enc="A128GCM"))
    with pytest.raises(Refused):
        KEY.open(encrypt(b"{}", {**KEY.public_jwk(), "kid": "another"}, enc="A128GCM"))


@given(st.text(max_size=300))
def test_what_is_no_jwe_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="invalid_encryption_parameters"):
        KEY.open(text)


def test_the_answer_is_for_the_wallets_key_alone() -> None:
    mine = generate_private_jwk()
    public = {**{name: mine[name] for name in ("kty", "crv", "x", "y")}, "alg": "ECDH-ES", "kid": "w"}
    wanted = read_response_encryption({"jwk": public, "enc": "A256GCM"})
    header, plain = decrypt(encrypt_response(b'{"a":1}', wanted), mine)
    assert (header["alg"], header["enc"], header["kid"], plain) == ("ECDH-ES", "A256GCM", "w", b'{"a":1}')


def test_the_metadata_has_what_wallets_need() -> None:
    said = issuer_metadata(FACTS, TYPES.values())
    assert said["credential_issuer"] == ISSUER
    for name in ("credential", "deferred_credential", "notification", "nonce"):
        assert said[f"{name}_endpoint"].startswith(f"{ISSUER}/openid4vci/")
    assert said["batch_credential_issuance"] == {"batch_size": 10}
    (key,) = said["credential_request_encryption"]["jwks"]["keys"]
    assert key["kid"]
    configurations = said["credential_configurations_supported"]
    assert set(configurations) == {form for one in TYPES for form in (one, f"{one}.w3c")}
    for configuration_id, one in configurations.items():
        assert one["scope"] == f"credential:{configuration_id}"
        assert "key_attestations_required" not in one["proof_types_supported"]["jwt"]
        display = one["credential_metadata"]["display"]
        assert [each["locale"] for each in display] == ["zh-CN", "en"]
        assert all(each["name"] for each in display)
        for claim in one["credential_metadata"]["claims"]:
            assert [each["locale"] for each in claim["display"]] == ["zh-CN", "en"]
    residence = configurations["residence"]
    assert (residence["format"], residence["vct"]) == ("dc+sd-jwt", TYPES["residence"].vct(ISSUER))
    assert "vct" not in configurations["residence.w3c"]
    claims = configurations["residence.w3c"]["credential_metadata"]["claims"]
    assert claims[0]["path"][0] == "credentialSubject"


def test_one_language_is_a_subset() -> None:
    whole = issuer_metadata(FACTS, TYPES.values())
    said = in_one_language(whole, "en")
    assert said.keys() == whole.keys()
    assert said["display"] == [{"name": "yimen", "locale": "en"}]
    residence = said["credential_configurations_supported"]["residence"]["credential_metadata"]
    assert [one["locale"] for one in residence["display"]] == ["en"]
    assert {one["locale"] for claim in residence["claims"] for one in claim["display"]} == {"en"}
    assert "居住" not in dumps(said).decode()


def test_signed_metadata_says_the_same_and_who_says_it() -> None:
    signer = LocalSigner(generate_private_jwk(), x5c=("leaf",))
    whole = issuer_metadata(FACTS, TYPES.values())
    jwt = parse(signed_metadata(whole, signer, datetime(2026, 11, 26, tzinfo=UTC)), typ="openidvci-issuer-metadata+jwt")
    verify(jwt, signer.public)
    assert (jwt.header["x5c"], jwt.header["kid"]) == (["leaf"], signer.kid)
    claims = jwt.claims
    assert (claims.pop("sub"), claims.pop("iss")) == (ISSUER, ISSUER)
    assert claims.pop("iat") == int(datetime(2026, 11, 26, tzinfo=UTC).timestamp())
    assert claims == json_object(dumps(whole))


def test_an_offer_says_that_a_code_is_needed_where_one_is() -> None:
    plain = pre_authorized_offer(ISSUER, ["residence", "residence"], "c", tx_digits=None)
    (grant,) = plain["grants"].values()
    assert grant == {"pre-authorized_code": "c"}
    assert plain["credential_configuration_ids"] == ["residence"]
    asked = pre_authorized_offer(ISSUER, ["residence"], "c", tx_digits=6, tx_description="x")
    (grant,) = asked["grants"].values()
    assert grant["tx_code"] == {"input_mode": "numeric", "length": 6, "description": "x"}
    state = authorization_offer(ISSUER, ["residence"], "s")
    assert state["grants"] == {"authorization_code": {"issuer_state": "s"}}


def test_links_carry_the_address_of_the_offer_and_no_code() -> None:
    for link in (wallet_link(ISSUER, "r"), other_link(ISSUER, "r"), other_link(ISSUER, "r", haip=True)):
        asked = parse_qs(urlsplit(link).query, strict_parsing=True)
        assert asked == {"credential_offer_uri": [f"{ISSUER}/openid4vci/offers/r"]}
    assert other_link(ISSUER, "r", haip=True).startswith("haip-vci://?")
