"""Whatever it is given, the verifier answers, and never with a yes that was not signed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.checked import Verdict
from credentials.jose import base64url
from credentials.kit import KitInvalid, make_kit, read_kit
from credentials.trust import HeldStatus, Statuses
from credentials.verifying import Binding, verify
from tests.credentials.spoilings import LIST, town

TOWN = town()
KIT = read_kit(TOWN.kit)
BINDING = Binding(KIT.audience, None)
_NAMES = st.sampled_from(
    ["iss", "iat", "nbf", "exp", "vct", "vct#integrity", "cnf", "status", "_sd", "_sd_alg", "...", "status_list", "idx", "uri",
     "jwk", "kty", "x", "type", "issuer", "id", "validFrom", "validUntil", "credentialStatus", "__proto__", "a"]
)  # fmt: skip
_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["https://yimen.example", LIST, "VerifiableCredential", "EC", "sha-256", "2026-11-26T00:00:00Z"])
)  # fmt: skip
_ANY = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=5), max_leaves=12
)


def _judged(text: str) -> Verdict:
    for binding in (None, BINDING):
        verdict = verify(text, trust=KIT.trust, now=TOWN.now, status=KIT.statuses, binding=binding).verdict
    return verdict


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    assert _judged(text) is Verdict.BAD


@settings(max_examples=300)
@given(st.data())
def test_any_character_changed(data: st.DataObject) -> None:
    shown = TOWN.shown()
    at = data.draw(st.integers(0, len(shown) - 1))
    changed = data.draw(st.sampled_from("ABCz09-_.~= é").filter(lambda one: one != shown[at]))
    assert _judged(shown[:at] + changed + shown[at + 1 :]) is Verdict.BAD


@settings(max_examples=300)
@given(st.dictionaries(_NAMES, _ANY, max_size=6), st.lists(_ANY, max_size=3), st.sampled_from(["dc+sd-jwt", "vc+jwt"]))
def test_anything_the_issuer_might_sign(said: dict[str, Any], disclosed: list[Any], typ: str) -> None:
    texts = [base64url(json.dumps(one).encode()) for one in disclosed]
    raw = json.dumps({**TOWN.claims(), **said}).encode()
    text = TOWN.payload(raw, *texts, header={"typ": typ})
    _judged(text if typ == "dc+sd-jwt" else text.partition("~")[0])


@given(st.dictionaries(st.sampled_from(["typ", "alg", "kid", "x5c", "crit", "jwk", "jku"]), _ANY, max_size=4))
def test_any_header(header: dict[str, Any]) -> None:
    head = base64url(json.dumps({"alg": "ES256", "typ": "dc+sd-jwt", **header}).encode())
    _, payload, signature = TOWN.issued().partition("~")[0].split(".")
    assert _judged(f"{head}.{payload}.{signature}~") is Verdict.BAD


@given(st.dictionaries(st.sampled_from(["sub", "iat", "exp", "ttl", "status_list", "bits", "lst"]), _ANY, max_size=5))
def test_any_status_list(said: dict[str, Any]) -> None:
    raw = json.dumps(
        {"sub": LIST, "iat": TOWN.at, "status_list": {"bits": 2, "lst": "eNpjYAAAAAIAAQ"}, **said}
    ).encode()
    token = TOWN.payload(raw, header={"typ": "statuslist+jwt"}).rstrip("~")
    for held in (token, token[:-4] + "AAAA", ""):
        checked = verify(TOWN.issued(), trust=KIT.trust, now=TOWN.now, status=Statuses({LIST: HeldStatus(held)}))
        assert checked.sound


@given(
    st.dictionaries(
        st.sampled_from(["iss", "iat", "anchors", "issuers", "cut_offs", "types", "status_lists"]), _ANY, min_size=1
    )
)
def test_any_kit(said: dict[str, Any]) -> None:
    whole = json.loads(json.dumps(_kit_payload()))
    raw = json.dumps({**whole, **said}).encode()
    text = TOWN.payload(raw, header={"typ": "yimen-kit+jwt"}).rstrip("~")
    try:
        read_kit(text)
    except KitInvalid:
        return


def _kit_payload() -> Any:
    from credentials.jose import parse

    return parse(TOWN.kit, typ="yimen-kit+jwt", limit=10_000_000).claims


def test_a_kit_without_lists_or_types_is_one() -> None:
    text = make_kit(
        TOWN.issuer,
        issuer="https://yimen.example",
        made_at=TOWN.now,
        anchors=KIT.trust.anchors,
        keys=[],
        types=[],
        lists={},
    )
    kit = read_kit(text)
    assert verify(TOWN.issued(), trust=kit.trust, now=TOWN.now, status=kit.statuses).reasons == (
        "type:vct_unknown", "status:no_list",
    )  # fmt: skip
