"""DCQL: what a query may be, and that an answer which lacks anything never satisfies it."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import RequestInvalid
from credentials.openid4vp.dcql import Shown, at, read_query, satisfies

VCT, OTHER = "https://credentials.example.com/identity_credential", "https://othercredentials.example/pid"
# OpenID4VP 1.0, appendix D: the example with alternatives and a set that may be left out.
SETS = {
    "credentials": [
        {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
         "claims": [{"path": ["given_name"]}, {"path": ["address", "street_address"]}]},
        {"id": "other_pid", "format": "dc+sd-jwt", "meta": {"vct_values": [OTHER]}, "claims": [{"path": ["given_name"]}]},
        {"id": "nice_to_have", "format": "dc+sd-jwt", "meta": {"vct_values": ["https://company.example/company_rewards"]},
         "claims": [{"path": ["rewards_number"]}]},
    ],
    "credential_sets": [
        {"options": [["pid"], ["other_pid"]]},
        {"required": False, "options": [["nice_to_have"]]},
    ],
}  # fmt: skip
# The one with claim sets and values.
CLAIM_SETS = {
    "credentials": [
        {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
         "claims": [{"id": "a", "path": ["last_name"]}, {"id": "b", "path": ["postal_code"], "values": ["90210", "90211"]},
                    {"id": "c", "path": ["locality"]}, {"id": "d", "path": ["region"]}],
         "claim_sets": [["a", "c", "d"], ["a", "b"]]},
    ]
}  # fmt: skip
ONE = {
    "credentials": [{"id": "x", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [{"path": ["name"]}]}]
}


def shown(claims: dict[str, Any], *, vct: str = VCT, bound: bool = True, **changes: Any) -> Shown:
    return Shown("dc+sd-jwt", frozenset({vct}), claims, bound, **changes)


def why(query: dict[str, Any], answer: dict[str, list[Shown]]) -> str:
    with pytest.raises(RequestInvalid) as refused:
        satisfies(read_query(query), answer)
    return refused.value.why


def test_one_of_the_options_is_enough_and_what_is_optional_may_come_or_stay_away() -> None:
    query = read_query(SETS)
    other = {"other_pid": [shown({"given_name": "三"}, vct=OTHER)]}
    assert satisfies(query, other) == {"other_pid": [{"given_name": "三"}]}
    pid = {"pid": [shown({"given_name": "三", "address": {"street_address": "路", "more": 1}})]}
    assert satisfies(query, pid) == {"pid": [{"given_name": "三", "address.street_address": "路"}]}
    assert why(SETS, {}) == "missing"
    assert (
        why(SETS, {"nice_to_have": [shown({"rewards_number": 1}, vct="https://company.example/company_rewards")]})
        == "missing"
    )
    assert why(SETS, pid | {"nice_to_have": [shown({}, vct="https://company.example/company_rewards")]}) == "claims"


def test_the_first_claim_set_that_is_whole_is_taken_and_values_count() -> None:
    query = read_query(CLAIM_SETS)
    assert satisfies(query, {"pid": [shown({"last_name": "D", "postal_code": "90210"})]}) == {
        "pid": [{"last_name": "D", "postal_code": "90210"}]
    }
    whole = {"last_name": "D", "locality": "L", "region": "R", "postal_code": "90210"}
    assert satisfies(query, {"pid": [shown(whole)]}) == {"pid": [{"last_name": "D", "locality": "L", "region": "R"}]}
    assert why(CLAIM_SETS, {"pid": [shown({"last_name": "D", "postal_code": "1"})]}) == "claims"
    assert why(CLAIM_SETS, {"pid": [shown({"last_name": "D", "locality": "L"})]}) == "claims"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"x": [shown({"name": 1}, vct=OTHER)]}, "type"),
        ({"x": [shown({"Name": 1})]}, "claims"),
        ({"x": [shown({"name": 1}, bound=False)]}, "holder_binding"),
        ({"x": []}, "empty"),
        ({"x": [shown({"name": 1}), shown({"name": 1})]}, "multiple"),
        ({"y": [shown({"name": 1})]}, "unknown_id"),
        ({"x": [shown({"name": 1})], "y": [shown({"name": 1})]}, "unknown_id"),
        ({}, "missing"),
        ({"x": [Shown("vc+jwt", frozenset({VCT}), {"name": 1}, True)]}, "format"),
    ],
)
def test_what_does_not_satisfy(answer: dict[str, list[Shown]], reason: str) -> None:
    assert why(ONE, answer) == reason


def test_without_binding_several_and_by_authority_where_the_query_says_so() -> None:
    query = copy.deepcopy(ONE)
    query["credentials"][0] |= {
        "multiple": True,
        "require_cryptographic_holder_binding": False,
        "trusted_authorities": [{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
    }
    good = shown({"name": 1}, bound=False, authorities=frozenset({"s9tIpPmhxdiuNkHMEWNpYim8S8Y"}))
    assert satisfies(read_query(query), {"x": [good, good]}) == {"x": [{"name": 1}, {"name": 1}]}
    assert why(query, {"x": [good, shown({"name": 1})]}) == "authority"


def test_true_is_not_one() -> None:
    query = copy.deepcopy(ONE)
    query["credentials"][0]["claims"] = [{"path": ["name"], "values": [True]}]
    assert why(query, {"x": [shown({"name": 1})]}) == "claims"
    assert satisfies(read_query(query), {"x": [shown({"name": True})]}) == {"x": [{"name": True}]}


def test_paths_lead_where_section_seven_says() -> None:
    claims = {"degrees": [{"type": "B", "u": "U"}, {"type": "M", "u": "U"}], "nationalities": ["a", "b"]}
    assert at(claims, ("degrees", None, "type")) == ["B", "M"]
    assert at(claims, ("nationalities", 1)) == ["b"]
    assert at(claims, ("nationalities", 2)) == []
    assert at(claims, ("degrees", "type")) == []
    assert at(claims, ("nationalities", None, "x")) == []
    assert at(claims, ("degrees",)) == [claims["degrees"]]


BROKEN: list[Any] = [
    None, [], {}, {"credentials": []}, {"credentials": ONE["credentials"] * 2}, ONE | {"credential_sets": []},
    ONE | {"credential_sets": [{"options": [["y"]]}]}, ONE | {"credential_sets": [{"options": [[]]}]}, ONE | {"more": 1},
    ONE | {"credential_sets": [{"options": [["x"]], "required": "no"}]},
]  # fmt: skip
MEMBERS: list[dict[str, Any]] = [
    {"id": ""}, {"id": "a b"}, {"id": 1}, {"format": "mso_mdoc"}, {"format": None}, {"meta": {}}, {"meta": {"vct_values": []}},
    {"meta": {"vct_values": [1]}}, {"meta": {"vct_values": VCT}}, {"meta": {"vct_values": [VCT], "more": 1}}, {"claims": []},
    {"claims": [{"path": []}]}, {"claims": [{"path": [1]}]}, {"claims": [{"path": ["a", -1]}]}, {"claims": [{"path": ["a", True]}]},
    {"claims": [{"path": ["a"]}, {"path": ["a"]}]}, {"claims": [{"path": ["a"], "values": []}]},
    {"claims": [{"path": ["a"], "values": [{}]}]}, {"claims": [{"path": ["a"], "more": 1}]},
    {"claim_sets": [["a"]]}, {"claims": [{"path": ["a"], "id": "a"}], "claim_sets": [["b"]]},
    {"claims": [{"path": ["a"], "id": "a"}, {"path": ["b"]}], "claim_sets": [["a"]]}, {"claim_set": [["a"]]},
    {"multiple": 1}, {"require_cryptographic_holder_binding": "false"}, {"trusted_authorities": []},
    {"trusted_authorities": [{"type": "openid_federation", "values": ["x"]}]},
]  # fmt: skip


@pytest.mark.parametrize("query", BROKEN + [{"credentials": [ONE["credentials"][0] | one]} for one in MEMBERS])
def test_what_is_no_query(query: Any) -> None:
    with pytest.raises(RequestInvalid) as refused:
        read_query(query)
    assert refused.value.why == "dcql_query"


NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@st.composite
def asked_and_shown(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, list[Shown]]]:
    """A query without sets, and a whole answer to it."""
    ids = draw(NAMES)
    credentials, answer = [], {}
    for id in ids:
        names = draw(NAMES)
        vct = f"https://types.example/{id}"
        credentials.append(
            {
                "id": id,
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [vct]},
                "claims": [{"path": [one]} for one in names],
            }
        )
        extra = draw(st.dictionaries(st.sampled_from("stuv"), st.booleans()))
        answer[id] = [shown(dict.fromkeys(names, True) | extra, vct=vct)]
    return {"credentials": credentials}, answer


@given(asked_and_shown())
def test_a_whole_answer_satisfies_and_only_what_was_asked_is_told(
    made: tuple[dict[str, Any], dict[str, list[Shown]]],
) -> None:
    query, answer = made
    told = satisfies(read_query(query), answer)
    for one in query["credentials"]:
        assert set(told[one["id"]][0]) == {claim["path"][0] for claim in one["claims"]}


@given(asked_and_shown(), st.data())
def test_whatever_is_missing_or_of_another_type_it_does_not(
    made: tuple[dict[str, Any], dict[str, list[Shown]]], data: st.DataObject
) -> None:
    query, answer = made
    one = data.draw(st.sampled_from(query["credentials"]))
    id, (whole,) = one["id"], answer[one["id"]]
    lost = data.draw(st.sampled_from(one["claims"]))["path"][0]
    less = {name: value for name, value in whole.claims.items() if name != lost}
    spoilt: list[dict[str, list[Shown]]] = [
        {key: value for key, value in answer.items() if key != id},
        answer | {id: [Shown(whole.format, whole.types, less, True)]},
        answer | {id: [Shown(whole.format, frozenset({"https://types.example/other"}), whole.claims, True)]},
        answer | {id: [Shown(whole.format, whole.types, whole.claims, False)]},
        answer | {id: [whole, whole]},
        answer | {"unknown": [whole]},
    ]
    for each in spoilt:
        with pytest.raises(RequestInvalid):
            satisfies(read_query(query), each)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.sampled_from(["credentials", "id", "format", "meta", "claims", "path", "x"]), inner, max_size=4),
       max_leaves=20))  # fmt: skip
def test_whatever_it_is_it_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(RequestInvalid):  # any other error fails
        read_query(value)
