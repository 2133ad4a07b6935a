"""Our type of rich authorization request: read strictly, and narrowing that never widens, whatever is drawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.caller import SharingDetail
from gateway.oauth.errors import OAuthError
from gateway.oauth.rar import ONE_TIME, RECURRING, Asked, narrowed, parse, read_granted
from gateway.oauth.terms import RAR_TYPE
from tests.fakes.authorization import REGISTER

NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
HERE = "https://gw.example/graphql"

details = st.builds(
    SharingDetail,
    purpose=st.sampled_from(["CC_RECEPTION", "CC_PLAN", "LOAN_SERVICE"]),
    reference=st.none() | st.sampled_from(["(2026)粤0604刑初123号", "loan-1"]),
    datatypes=st.none()
    | st.frozensets(st.sampled_from(["identity.name", "identity.sex", "residence.status"]), min_size=1),
    consent_id=st.none() | st.sampled_from(["c-1", "c-2"]),
    until=st.none() | st.integers(1, 10).map(lambda days: NOW + timedelta(days=days)),
    max_per_day=st.none() | st.integers(1, 5),
)
asked = st.builds(Asked, details, st.just(HERE), st.sampled_from([None, ONE_TIME, RECURRING]))


def read(text: str) -> tuple[Asked, ...]:
    return parse(text, location=HERE, register=REGISTER, now=NOW)


def limits(one: Asked) -> tuple[object, ...]:
    """Each limit as something that compares: smaller is narrower."""
    detail, every = one.detail, frozenset({"identity.name", "identity.sex", "residence.status", "*"})
    return (
        detail.datatypes if detail.datatypes is not None else every,
        detail.until or NOW + timedelta(days=9999),
        detail.max_per_day or 9999,
        0 if one.mode == ONE_TIME else 1,
    )


@given(asked)
@settings(max_examples=300, deadline=None)
def test_what_was_read_is_written_and_read_back_the_same(one: Asked) -> None:
    assert read(json.dumps([one.as_json()])) == (one,)
    assert read_granted([one.as_json()], REGISTER) == (one,)


@given(asked, asked)
@settings(max_examples=1000, deadline=None)
def test_what_is_left_is_never_more_than_what_was_granted(mine: Asked, granted: Asked) -> None:
    left = mine.within(granted)
    if left is None:
        return
    same = (left.detail.purpose, left.detail.consent_id, left.location)
    assert same == (granted.detail.purpose, granted.detail.consent_id, granted.location)
    assert granted.detail.reference in (None, left.detail.reference)
    assert all(a <= b for a, b in zip(limits(left), limits(granted), strict=True))  # type: ignore[operator]
    assert left.within(granted) == left  # asking for exactly what one has changes nothing
    assert granted.within(granted) == granted


@given(st.lists(asked, max_size=3), st.lists(asked, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_each_detail_left_is_within_one_that_was_granted(mine: list[Asked], granted: list[Asked]) -> None:
    try:
        left = narrowed(mine, granted)
    except OAuthError as error:
        assert error.code == "invalid_authorization_details"  # noqa: PT017
        return
    assert all(any(one.within(held) == one for held in granted) for one in left)


@given(st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["type", "purpose", "code", "datatypes", "subjects", "validity", "until", "access", "mode", "actions"]
    ), inner, max_size=4), max_leaves=12,
).map(json.dumps))  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_nothing_but_our_own_error_comes_of_any_text(text: str) -> None:
    try:
        read(text)
    except OAuthError as error:
        assert error.code == "invalid_authorization_details"  # noqa: PT017
        assert error.reason.startswith("rar_")  # noqa: PT017


@pytest.mark.parametrize(
    "until",
    ["2026-12-01", "2026-12-01T00:00:00", "tomorrow", "2026-12-01T00:00:00+99:00", "9999-12-31T23:59:59-23:59",
     "0001-01-01T00:00:00+23:59", "2026-11-23T01:00:00Z", "2036-01-01T00:00:00Z", 7, None, ""],
)  # fmt: skip
def test_an_end_is_a_time_to_come_with_its_zone(until: object) -> None:
    detail = {"type": RAR_TYPE, "purpose": {"code": "CC_PLAN"}, "validity": {"until": until}}
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        read(json.dumps([detail]))


def test_a_reference_is_no_place_for_a_person() -> None:
    for number in ("440606199003070017", "4406 0619 9003 0700 17", "４４０６０６１９９００３０７００１７"):
        detail = {"type": RAR_TYPE, "purpose": {"code": "CC_PLAN", "reference": f"loan {number}"}}
        with pytest.raises(OAuthError, match="rar_purpose"):
            read(json.dumps([detail]))
