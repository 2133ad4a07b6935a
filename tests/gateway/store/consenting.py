"""Consents for store tests: asked, settled and answered in one call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.consent.consent import Consent, ConsentState, Terms
from gateway.consent.ports import Answer, Asked
from gateway.store import Store
from tests.gateway.store.conftest import START, HandClock

ID_NO, OTHER_ID_NO = "440606199003070017", "440606199003070033"
ITEMS = ("insurance.status", "residence.admin")
YES = Answer(ConsentState.GIVEN, "one_time_code", "v1", "ab" * 32, "zh-CN", "a.b.c")
NO = Answer(ConsentState.REFUSED, "one_time_code", "v1", "ab" * 32, "zh-CN")


def terms(**changes: Any) -> Terms:
    usual = Terms(
        "bank-client", "bank-org", "LOAN_SERVICE", ITEMS, START, START + timedelta(days=30), "recurring", 2, "file-1"
    )
    return replace(usual, **changes)


async def asked(store: Store, clock: HandClock, id_no: str = ID_NO, **changes: Any) -> Consent:
    said = terms(**({"starts_at": clock.now()} | changes))
    _, consent_id = await store.consents.ask(said, Asked(id_no, "张三"), clock.now() + timedelta(days=7))
    (subject,) = await store.subjects.recognise([id_no])
    await store.consents.settle(consent_id, subject)
    found = await store.consents.of_person(subject, consent_id)
    assert found is not None
    return found


async def given(store: Store, clock: HandClock, id_no: str = ID_NO, **changes: Any) -> Consent:
    consent = await asked(store, clock, id_no, **changes)
    assert await store.consents.answer(consent, YES) is not None
    found = await store.consents.of_person(str(consent.subject_id), consent.consent_id)
    assert found is not None
    return found


def partner(*consents: Consent, items: frozenset[str] = frozenset(ITEMS), **changes: Any) -> Caller:
    """A bank whose token names these consents."""
    details = tuple(SharingDetail("LOAN_SERVICE", None, items, one.consent_id) for one in consents)
    usual = Caller(
        "bank-client", "bank-org", "BANK", frozenset(), "t1", START + timedelta(days=365),
        purposes=frozenset({"LOAN_SERVICE"}), kind=CallerKind.PARTNER, client_id="bank-client", details=details,
    )  # fmt: skip
    return replace(usual, **changes)
