"""What may be asked of a person at all, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.consent import (
    MOST_ITEMS,
    Consent,
    ConsentEvent,
    ConsentState,
    ItemTitle,
    Terms,
    TermsRefused,
    checked_end,
    checked_items,
    checked_use,
    civil_day,
    never_for_partners,
)
from schema.builtin import builtin_nouns

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KNOWN = {f"{noun.name}.{field.name}": ItemTitle("", "") for noun in builtin_nouns() for field in noun.fields}
KNOWN |= dict.fromkeys(("conductStatement.reportedOnTime", "scoreAssessment.value"), ItemTitle("", ""))
GOOD = "insurance.status"


def refused(items: list[str], kind: str = "BANK") -> str:
    with pytest.raises(TermsRefused) as caught:
        checked_items(items, KNOWN, kind)
    return caught.value.why


def test_items_come_back_sorted() -> None:
    assert checked_items(["residence.admin", GOOD], KNOWN, "BANK") == (GOOD, "residence.admin")


@pytest.mark.parametrize(
    "item", ["insurance.*", "*", "insurance", "insurance.status.x", "Insurance.status", " a.b", "", "a.b\n"]
)
def test_only_exact_leaf_fields_may_be_named(item: str) -> None:
    assert refused([item]) == "item_form"


def test_nothing_too_much_and_the_same_twice_are_refused() -> None:
    assert refused([]) == "items_count"
    assert refused([GOOD, GOOD]) == "items_count"
    assert refused([f"insurance.a{number}" for number in range(MOST_ITEMS + 1)]) == "items_count"


def test_what_is_not_in_the_schema_cannot_be_asked_for() -> None:
    assert refused(["insurance.wageBase"]) == "item_not_shareable"
    assert refused(["locationFix.lat"]) == "item_not_shareable"


CASE_WORK = ("correctionCase", "legalDocument", "monitoringOrder", "aftercare")
NEVER = [item for item in KNOWN if item.split(".")[0] in CASE_WORK]
NEVER += ["identity.photoHash", "identity.ethnicity", "residence.landlordMasked"]


@pytest.mark.parametrize("item", NEVER)
def test_case_work_and_biometrics_never_leave_for_a_partner(item: str) -> None:
    assert item in KNOWN
    assert refused([GOOD, item]) == "item_not_shareable"


@pytest.mark.parametrize(
    "item",
    ["check.faceScore", "check.fingerprintOk", "device.lat", "visit.location", "health.result", "record.medicalNote",
     "penalty.kind", "record.publicOrderPenalty", "person.familyMembers", "x.religion", "track.at"],
)  # fmt: skip
def test_a_declared_noun_cannot_carry_out_what_is_banned_under_another_name(item: str) -> None:
    assert never_for_partners(item)


@pytest.mark.parametrize(
    "item",
    [
        "conductStatement.reportedOnTime",
        "conductStatement.noWarningInForce",
        "insurance.lastPaidMonth",
        "business.name",
    ],
)
def test_words_within_words_are_no_reason(item: str) -> None:
    assert not never_for_partners(item)


def test_an_employer_gets_no_score_and_a_bank_may_ask_for_one() -> None:
    assert refused(["scoreAssessment.value"], "EMPLOYER") == "item_not_shareable"
    assert checked_items(["scoreAssessment.value"], KNOWN, "BANK") == ("scoreAssessment.value",)


def test_once_or_so_many_times_a_day() -> None:
    assert checked_use("one_time", None) == ("one_time", 1)
    assert checked_use("recurring", 4) == ("recurring", 4)
    for mode, limit in (
        ("one_time", 2),
        ("recurring", None),
        ("recurring", 0),
        ("recurring", 101),
        ("always", 1),
        ("", 1),
    ):
        with pytest.raises(TermsRefused):
            checked_use(mode, limit)


def test_an_end_is_ahead_aware_and_not_too_far() -> None:
    longest = timedelta(days=180)
    assert checked_end(NOW + longest, NOW, longest) == NOW + longest
    for until in (NOW, NOW - timedelta(days=1), NOW + longest + timedelta(seconds=1), datetime(2026, 12, 1)):  # noqa: DTZ001
        with pytest.raises(TermsRefused):
            checked_end(until, NOW, longest)


def test_a_day_begins_at_midnight_in_china() -> None:
    before, after = datetime(2026, 11, 25, 15, 59, 59, tzinfo=UTC), datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
    assert civil_day(after) == civil_day(before) + 1
    assert civil_day(datetime(1970, 1, 1, tzinfo=UTC)) == 0


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_days_are_counted_in_order_and_are_as_long_as_days(at: datetime) -> None:
    assert 0 <= civil_day(at + timedelta(days=1)) - civil_day(at) <= 2
    assert civil_day(at) <= civil_day(at + timedelta(seconds=1))


def consent(*states: ConsentState) -> Consent:
    terms = Terms("bank", "bank-org", "LOAN_SERVICE", (GOOD,), NOW, NOW + timedelta(days=30), "recurring", 2, "r-1")
    events = tuple(ConsentEvent(state, NOW, "", "") for state in states)
    return Consent("c", "r", "s", terms, NOW, NOW + timedelta(days=7), events)


def test_the_state_is_that_of_the_last_event() -> None:
    asked = consent(ConsentState.REQUESTED)
    assert asked.open(NOW)
    assert not asked.open(NOW + timedelta(days=7))
    assert not asked.in_force(NOW)
    given = consent(ConsentState.REQUESTED, ConsentState.GIVEN)
    assert given.in_force(NOW)
    assert not given.in_force(NOW + timedelta(days=30))
    assert not given.in_force(NOW - timedelta(seconds=1))
    assert not given.open(NOW)
    for end in (ConsentState.WITHDRAWN, ConsentState.EXPIRED, ConsentState.SUPERSEDED):
        ended = consent(ConsentState.REQUESTED, ConsentState.GIVEN, end)
        assert not ended.in_force(NOW)
        assert ended.given is not None
