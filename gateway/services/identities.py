"""Who there is: organisations, officers, posts and the phones of enrolled persons, and what others may ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

PROCURATORATE = "PROCURATORATE"
PUBLIC_KINDS = frozenset({"CORRECTION_AGENCY", "JUSTICE_OFFICE", "COURT", PROCURATORATE, "POLICE", "PRISON"})
"""Bodies that act by duty and for a place. Other kinds (BANK, EMPLOYER, INSURER, a new application's) are free codes."""
DEVICE_KINDS = frozenset({"WRISTBAND", "PHONE", "FINGERPRINT", "VIDEO", "TERMINAL"})

JUSTICE_OFFICER = "JUSTICE_OFFICER"  # enrols persons at the counter
IDENTITY_ADMIN = "IDENTITY_ADMIN"  # imports identities
SUPERVISOR = "SUPERVISOR"  # watches over the officers of their own organisation
DISCIPLINE = "DISCIPLINE"  # handles their alerts
DPO = "DPO"  # data protection officer: consents, and what partners did
PROSECUTOR = "PROSECUTOR"  # of a procuratorate: watches over public bodies within its jurisdiction
OPERATOR_ORG = "OPERATOR"  # who acts where a command line does: whoever runs this gateway
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Organisation:
    """A body that asks or is asked. `jurisdiction`: GB/T 2260, 2, 4 or 6 leading digits, '' for a partner."""

    org_id: str
    name_zh: str
    kind: str
    name_en: str = ""
    uscc: str | None = None
    jurisdiction: str = ""
    parent_id: str | None = None
    agency_keys: Mapping[str, Any] = field(default_factory=lambda: {"keys": []}, repr=False)  # a JWK set, public only
    purposes: frozenset[str] = frozenset()  # what a partner is registered for; empty for bodies that act by duty
    active: bool = True


@dataclass(frozen=True, slots=True)
class OfficerRecord:
    """An officer as of now: roles and purposes are those of the posts held at this moment, besides their own roles.

    `active` is False where the officer or the organisation is switched off: then nothing may be done in this name.
    `until`: when this changes by itself next (a post ends or begins); no grant should outlive it. None = not foreseen.
    """

    user_id: str
    login: str
    org_id: str
    org_kind: str
    jurisdiction: str
    name: str = field(repr=False)
    roles: frozenset[str] = frozenset()
    posts: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    active: bool = True
    subject_id: str | None = None  # of the officer's own ID number, where it is known
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EnrolledPhone:
    """The one live phone of a person. `phone_id` changes with every enrolment: what was bound to the old one is void."""

    phone_id: str
    subject_id: str
    phone: str = field(repr=False)
    enrolled_at: datetime
    enrolled_by: str
    enrolled_org: str


class Officers(Protocol):
    async def officer_by_login(self, login: str) -> OfficerRecord | None:
        """None where there is no such login; `login` is folded as it was when imported."""
        ...

    async def officer_by_external_id(self, external_id: str) -> OfficerRecord | None:
        """By `sub` at the deployment's OIDC provider."""
        ...

    async def officer(self, user_id: str) -> OfficerRecord | None: ...


class Organisations(Protocol):
    async def organisation(self, org_id: str) -> Organisation | None: ...

    async def organisations(self) -> Sequence[Organisation]:
        """All of them, by org_id."""
        ...


class Phones(Protocol):
    async def phone_of(self, subject_id: str) -> EnrolledPhone | None:
        """The live one; None where the person has not been enrolled."""
        ...


def fold_login(login: str) -> str:
    """The form logins are kept and looked up in: no blanks around, lower case."""
    return login.strip().lower()
