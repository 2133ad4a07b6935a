"""What the register of cases is told: who has which part, what is sealed, which orders run; and what no entry may be.

Opaque ids, codes and case numbers only. Every class checks itself: an entry that breaks the law cannot be made.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import GatewayError
from gateway.policy.facts import Relationship, Seal

LONGEST_MONTHS = 3
"""Of an electronic-monitoring order, and of each renewal. Source: Community Corrections Law, Article 29."""

STATES = frozenset({
    "DECIDED", "NOTIFIED", "DOCS_SERVED", "REPORTED_IN", "ENROLLED", "SUPERVISED",
    "ON_LEAVE", "TRANSFERRING", "OUT_OF_CONTACT", "REVOCATION_PENDING", "DETAINED", "DISCHARGED",
    "AFTERCARE", "TERMINATED", "NOT_ENROLLED", "CLOSED",
})  # fmt: skip
OVER = frozenset({"TERMINATED", "CLOSED"})
"""A case in one of these gives nobody a ground any more."""

_CASE_NO = re.compile(r"\S(?:.{0,98}\S)?")
_ID_NUMBER = re.compile(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{5}[0-9Xx]|[0-9]{15,17}")
_CODE = re.compile(r"[A-Za-z0-9._:@-]{1,64}")
_ADMIN = re.compile(r"[1-9][0-9]{1,11}")


class Part(StrEnum):
    """What an organisation has to do with a case."""

    SUPERVISING = "SUPERVISING"  # the corrections agency or justice office of the case
    DECIDING = "DECIDING"
    PROSECUTING = "PROSECUTING"
    POLICING = "POLICING"
    IMPRISONING = "IMPRISONING"
    ASSISTING = "ASSISTING"  # a body of a newly connected application, say legal aid; opens nothing that is sealed


class EntryInvalid(GatewayError):
    """An entry that may not stand in the register; `why` is one plain sentence without personal data."""

    code = "CASE_FACT_INVALID"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One person's case. `minor_at_offence` seals it as SEALED_JUVENILE does, whatever `seal` says."""

    case_no: str
    subject_id: str
    state: str = "SUPERVISED"
    seal: Seal = Seal.NONE
    minor_at_offence: bool = False
    execution_admin: str = ""
    offence_in_progress: bool = False
    visible_from: datetime | None = None

    def __post_init__(self) -> None:
        _case_no(self.case_no)
        _require(self.state in STATES, "the state is not one of the case states")
        _require(not self.execution_admin or bool(_ADMIN.fullmatch(self.execution_admin)), "not a GB/T 2260 code")
        _aware(self.visible_from)


@dataclass(frozen=True, slots=True)
class PartyEntry:
    case_no: str
    org_id: str
    part: Part
    since: datetime
    until: datetime | None = None  # the first instant it no longer holds

    def __post_init__(self) -> None:
        _case_no(self.case_no)
        _code(self.org_id, "organisation")
        _span(self.since, self.until)


@dataclass(frozen=True, slots=True)
class AssignmentEntry:
    case_no: str
    user_id: str
    since: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        _case_no(self.case_no)
        _code(self.user_id, "officer")
        _span(self.since, self.until)


@dataclass(frozen=True, slots=True)
class RelationshipEntry:
    """How an officer stands to a person privately. `kind` NONE takes an earlier entry back."""

    user_id: str
    subject_id: str
    kind: Relationship
    declared_by: str

    def __post_init__(self) -> None:
        _code(self.user_id, "officer")
        _code(self.declared_by, "declared_by")


@dataclass(frozen=True, slots=True)
class SealEntry:
    """The seal of a person as a whole. NONE lifts it, which takes an order: `unseal_order_no`."""

    subject_id: str
    seal: Seal
    unseal_order_no: str | None = None

    def __post_init__(self) -> None:
        _require(self.seal is not Seal.NONE or bool(self.unseal_order_no), "a seal is lifted only by an unseal order")


@dataclass(frozen=True, slots=True)
class UnsealOrder:
    """Opens what is sealed to one organisation, for a time. `case_no` None: the person's own seal and every case."""

    order_no: str
    subject_id: str
    org_id: str
    approved_by: str
    second_approved_by: str
    since: datetime
    expires_at: datetime
    case_no: str | None = None

    def __post_init__(self) -> None:
        _case_no(self.order_no)
        _code(self.org_id, "organisation")
        _code(self.approved_by, "approver")
        _code(self.second_approved_by, "second approver")
        _require(self.approved_by != self.second_approved_by, "an unseal order has two approvers, not one twice")
        _span(self.since, self.expires_at)
        if self.case_no is not None:
            _case_no(self.case_no)


@dataclass(frozen=True, slots=True)
class MonitoringEntry:
    """An order for electronic monitoring; a renewal is an order of its own."""

    order_no: str
    subject_id: str
    legal_ground: int
    approved_by: str
    since: datetime
    until: datetime
    lifted_at: datetime | None = None

    def __post_init__(self) -> None:
        _case_no(self.order_no)
        _require(1 <= self.legal_ground <= 5, "the legal ground is 1 to 5 (Community Corrections Law Art. 29)")
        _code(self.approved_by, "approver")
        _span(self.since, self.until)
        _require(self.until <= months_on(self.since, LONGEST_MONTHS), "an order runs for three months at most")
        _aware(self.lifted_at)


Entry = CaseEntry | PartyEntry | AssignmentEntry | RelationshipEntry | SealEntry | UnsealOrder | MonitoringEntry


def months_on(instant: datetime, months: int) -> datetime:
    """The same day and time that many calendar months on; the last day of a shorter month."""
    years, month = divmod(instant.month - 1 + months, 12)
    year = instant.year + years
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    return instant.replace(year=year, month=month + 1, day=day)


def _require(met: bool, why: str) -> None:
    if not met:
        raise EntryInvalid(why)


def _case_no(text: str) -> None:
    _require(
        bool(_CASE_NO.fullmatch(text)) and "\0" not in text,
        "a number has 1 to 100 characters, none of them blank at its ends",
    )
    _require(_ID_NUMBER.search(text) is None, "this looks like a person's ID number, not like a paper's")


def _code(text: str, what: str) -> None:
    _require(bool(_CODE.fullmatch(text)), f"the {what} is an id of 1 to 64 letters, digits and . _ : @ -")
    _require(_ID_NUMBER.fullmatch(text) is None, f"the {what} looks like a person's ID number")


def _aware(instant: datetime | None) -> None:
    _require(instant is None or instant.tzinfo is not None, "a time needs its zone")


def _span(since: datetime, until: datetime | None) -> None:
    _aware(since)
    _aware(until)
    _require(until is None or since < until, "it ends before it begins")
