"""Enrol a person at the counter: who they are was seen on their card, and a phone in their hand becomes theirs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from adapters.identity import fold_name, is_readable, normalise_id
from gateway.caller import (
    Alert,
    Alerts,
    Caller,
    CallerKind,
    Decision,
    Evidence,
    Message,
    Messages,
    Subjects,
)
from gateway.clock import Clock
from gateway.errors import MessagesUnavailable, RequestRefused
from gateway.policy.claim import recordable
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, Facts, Relationship
from gateway.services.identities import JUSTICE_OFFICER, Phones
from gateway.services.refusals import refusal_event

_log = structlog.get_logger(__name__)
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LONGEST_NAME = 100
PURPOSE = "ENROLMENT"
_FIELDS = ("identity.phone",)
BASIS = ("社区矫正法第二十二条;个人信息保护法第三十四条 · Community Corrections Law Art. 22; PIPL Art. 34",)


class Enrolments(Phones, Protocol):
    async def enrol(self, subject_id: str, phone: str, *, by: str, org: str, at: datetime) -> str:
        """Makes `phone` the person's one live phone and ends the one before, evidenced; the new phone's id."""
        ...


class PersonNames(Protocol):
    async def remember(self, subject_id: str, id_no: str, name: str) -> None:
        """Keeps both as ciphertext."""
        ...


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the officer at the counter says."""

    id_no: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)
    case_no: str | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`pid` is what the officer's organisation knows the person by; `notified`: the phone was sent a message."""

    pid: str
    phone_id: str
    notified: bool


class EnrolPerson:
    """Only a justice officer whose organisation has a live case with the person, and who is neither them nor theirs.

    Whoever could bind a phone to anybody could agree to anything in their name, so "no ground" counts here as it does for
    questions: refused in the same words whether the person is unknown, sealed or simply not theirs, recorded, and a
    supervisor is told. Without `facts` (a command of the operator) the role alone decides.
    """

    def __init__(
        self,
        enrolments: Enrolments,
        names: PersonNames,
        subjects: Subjects,
        messages: Messages,
        evidence: Evidence,
        alerts: Alerts,
        clock: Clock,
        facts: Facts | None = None,
    ) -> None:
        self._enrolments, self._names, self._subjects, self._messages = enrolments, names, subjects, messages
        self._evidence, self._alerts, self._clock, self._facts = evidence, alerts, clock, facts

    async def __call__(self, caller: Caller, said: Enrolment) -> Enrolled:
        """Raises RequestRefused: BAD_ID, BAD_NAME, BAD_PHONE, PURPOSE_TOO_LONG, PURPOSE_NOT_RECORDABLE (nothing recorded);
        FORBIDDEN, NO_GROUND (recorded)."""
        id_no, name, phone = _checked(said)
        (asked,) = await self._subjects.recognise([id_no])
        await self._may(caller, said.case_no, asked)
        (subject_id,) = await self._subjects.intern([id_no])
        # Whoever holds the phone can agree in the person's name, so the person reads of it, and a supervisor does.
        event = refusal_event(
            caller, self._clock.now(), PURPOSE, "enrolment", case_no=said.case_no, subjects=(subject_id,), fields=_FIELDS,
            basis=BASIS,
        )  # fmt: skip
        await self._evidence.record(replace(event, decision=Decision.ALLOW))
        before = await self._enrolments.phone_of(subject_id)
        await self._names.remember(subject_id, id_no, name)
        phone_id = await self._enrolments.enrol(
            subject_id, phone, by=caller.user_id, org=caller.org_id, at=self._clock.now()
        )
        notified = await self._tell(Message(subject_id, phone, "ENROLLED"))
        if before is not None and before.phone != phone:
            await self._tell(Message(subject_id, before.phone, "PHONE_CHANGED"))
        return Enrolled(self._subjects.pid(subject_id, caller.org_id), phone_id, notified)

    async def _may(self, caller: Caller, case_no: str | None, subject_id: str) -> None:
        if caller.kind is not CallerKind.OFFICER or JUSTICE_OFFICER not in caller.roles:
            await self._refuse(caller, case_no, subject_id, "FORBIDDEN", "default-deny")
        if self._facts is None:
            return
        (facts,) = await self._facts.of(caller, Purpose(PURPOSE, case_no), [subject_id])
        if facts.relationship is not Relationship.NONE:
            inner = f"enrol-{facts.relationship.value.lower().replace('_', '-')}"
        elif facts.case_link is CaseLink.NONE:
            inner = "enrol-no-case-link"
        else:
            return
        await self._refuse(caller, case_no, subject_id, "NO_GROUND", "no-ground", inner, facts.visible_from)

    async def _refuse(
        self,
        caller: Caller,
        case_no: str | None,
        subject_id: str,
        code: str,
        rule: str,
        inner: str = "",
        visible_from: datetime | None = None,
    ) -> None:
        event = refusal_event(
            caller,
            self._clock.now(),
            PURPOSE,
            rule,
            inner=inner,
            case_no=case_no,
            subjects=(subject_id,),
            fields=_FIELDS,
            basis=BASIS,
        )
        await self._evidence.record(replace(event, visible_from=visible_from))
        if inner:
            detail = {"rule": inner, "at": "ENROLMENT"}
            alert = Alert("A11_INSIDER", "S1", "OFFICER", caller.user_id, caller.org_id, subject_id, detail=detail)
            await self._alerts.raise_alert(alert)
        raise RequestRefused(code)

    async def _tell(self, message: Message) -> bool:
        """The enrolment stands whether or not the message arrives: the person is at the counter."""
        try:
            await self._messages.send(message)
        except MessagesUnavailable:
            _log.warning("enrolment_not_notified", kind=message.kind)
            return False
        return True


def _checked(said: Enrolment) -> tuple[str, str, str]:
    number = normalise_id(said.id_no)
    if number is None or not (number.checksum_ok and number.date_ok):
        raise RequestRefused("BAD_ID")
    name = said.name.strip()
    if len(name) > _LONGEST_NAME or not is_readable(fold_name(name)):
        raise RequestRefused("BAD_NAME")
    phone = normalise_phone(said.phone)
    if phone is None:
        raise RequestRefused("BAD_PHONE")
    if said.case_no is not None and len(said.case_no) > _LONGEST_NAME:
        raise RequestRefused("PURPOSE_TOO_LONG")
    if said.case_no is not None and not recordable(said.case_no):  # refusals are kept for years, with this in them
        raise RequestRefused("PURPOSE_NOT_RECORDABLE")
    return number.value18, name, phone


def normalise_phone(text: str) -> str | None:
    """Eleven digits of a mainland mobile number, or None. Blanks, hyphens, +86 and full-width digits are folded."""
    if len(text) > 40:
        return None
    folded = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text))
    folded = re.sub(r"^(\+86|0086|86(?=1[0-9]{10}$))", "", folded)
    return folded if folded.isascii() and _MOBILE.fullmatch(folded) else None
