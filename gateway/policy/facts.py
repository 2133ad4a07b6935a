"""What policy needs to know of a person, from our own store only; what is not known denies.

Never from a department's answer: who may ask is settled before anybody is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.caller import Caller
from gateway.consent.ports import ConsentInForce
from gateway.policy.decision import Purpose


class CaseLink(StrEnum):
    """How the caller stands to a live case of the person."""

    NONE = "NONE"
    ORGANISATION = "ORGANISATION"  # the caller's organisation has a part in the case
    ASSIGNED = "ASSIGNED"  # the case is assigned to this very officer


class Relationship(StrEnum):
    """How the officer stands to the person privately, as declared or found."""

    NONE = "NONE"
    SELF = "SELF"
    RELATIVE = "RELATIVE"
    FORMER_SPOUSE = "FORMER_SPOUSE"


class Seal(StrEnum):
    NONE = "NONE"
    SEALED_JUVENILE = "SEALED_JUVENILE"
    SEALED_PUBLIC_ORDER = "SEALED_PUBLIC_ORDER"


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """One person towards one caller and one claim. The defaults are those of somebody we know nothing of."""

    case_link: CaseLink = CaseLink.NONE
    case_role: str = ""  # the organisation's part in the case: SUPERVISING | DECIDING | PROSECUTING | POLICING | ...
    claimed_case: bool = False  # the claimed case number is a case of this person that the caller's organisation has
    relationship: Relationship = Relationship.NONE
    seal: Seal = Seal.NONE  # of the person as a whole: everything about them must look unknown
    sealed_cases: frozenset[str] = frozenset()  # case numbers sealed towards this caller
    unsealed: bool = False  # an unseal order in force, or the agency of the very case
    monitoring_order: bool = False  # a live electronic-monitoring order
    out_of_contact: bool = False  # a live OUT_OF_CONTACT alert or an offence in progress
    revocation_pending: bool = False
    consent: ConsentInForce | None = None
    break_glass: str | None = None  # the id of a break-glass grant in force for this caller and person
    break_glass_items: frozenset[str] = frozenset()  # all it opens: "noun.field", or "noun" for every field of it
    visible_from: datetime | None = None  # an access now may be shown to the person from then on


class Named(tuple[str, ...]):
    """Persons whom the asker named by their numbers. What is known of them may come from what was read for the same asker
    before, where nothing changed since. Whoever turned up in rows is read each time: were it quicker because the asker had
    named them once, it would say whose row that is.
    """

    __slots__ = ()


class Facts(Protocol):
    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        """In the order of `subjects`, with the same statements whoever they are. For a partner, one use of the consent
        is spent by this call. Raises a GatewayError where the store does not answer; policy then denies."""
        ...
