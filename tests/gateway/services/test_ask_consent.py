"""What an asking partner is told of a consent, in every state and at every time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.consent.consent import Consent, ConsentEvent, ConsentState, Terms
from gateway.services.ask_consent import told

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ANSWER_BY, UNTIL = NOW + timedelta(days=7), NOW + timedelta(days=30)
S = ConsentState


def consent(*states: ConsentState, until: datetime = UNTIL) -> Consent:
    terms = Terms("bank", "org", "LOAN_SERVICE", ("insurance.status",), NOW, until, "recurring", 2, "r-1")
    return Consent(
        "c" * 32, "r" * 32, "s", terms, NOW, ANSWER_BY, tuple(ConsentEvent(one, NOW, "", "") for one in states)
    )


def test_a_no_and_silence_are_the_same_at_every_moment() -> None:
    silent, refused = consent(S.REQUESTED), consent(S.REQUESTED, S.REFUSED)
    for at in (NOW, ANSWER_BY - timedelta(microseconds=1), ANSWER_BY, UNTIL, UNTIL + timedelta(days=365)):
        assert told(silent, at) == told(refused, at) == ({"state": "PENDING"} if at < ANSWER_BY else {"state": "ENDED"})
    assert told(consent(S.REQUESTED, S.EXPIRED), ANSWER_BY) == told(refused, ANSWER_BY)


def test_where_the_consent_would_end_before_the_answer_was_due_both_end_then() -> None:
    early = NOW + timedelta(days=1)
    for states in ((S.REQUESTED,), (S.REQUESTED, S.REFUSED)):
        assert told(consent(*states, until=early), early - timedelta(seconds=1)) == {"state": "PENDING"}
        assert told(consent(*states, until=early), early) == {"state": "ENDED"}


def test_the_consents_id_is_told_while_it_is_in_force_and_never_else() -> None:
    given = consent(S.REQUESTED, S.GIVEN)
    assert told(given, NOW)["consent_id"] == "c" * 32
    assert told(given, UNTIL) == {"state": "ENDED"}


@pytest.mark.parametrize("end", [S.WITHDRAWN, S.EXPIRED, S.SUPERSEDED])
def test_every_end_looks_the_same(end: ConsentState) -> None:
    assert told(consent(S.REQUESTED, S.GIVEN, end), NOW) == {"state": "ENDED"}
