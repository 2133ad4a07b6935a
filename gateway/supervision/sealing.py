"""Who may see through a seal, and what is left of a person for whoever may not. Pure.

Sources: Criminal Procedure Law Art. 286; Law on Prevention of Juvenile Delinquency Art. 59; Community Corrections Law
Art. 54; Law on Penalties for Administration of Public Security Art. 136.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.policy.claim import folded
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts
from gateway.supervision.case_facts import OVER, Part

_ENDED = frozenset({"DISCHARGED", "AFTERCARE"})
# After discharge the file is an archive, open to justice and procuratorate alone.
_ARCHIVE = frozenset({Part.SUPERVISING, Part.PROSECUTING})
# The agency of the very case always; judicial organs for the case they handle, that is, claim.
_ALWAYS = {Seal.SEALED_JUVENILE: frozenset({Part.SUPERVISING}), Seal.SEALED_PUBLIC_ORDER: frozenset({Part.SUPERVISING})}
_FOR_THE_CASE = {
    Seal.SEALED_JUVENILE: frozenset({Part.DECIDING, Part.PROSECUTING}),
    Seal.SEALED_PUBLIC_ORDER: frozenset({Part.DECIDING, Part.PROSECUTING, Part.POLICING}),
}
_ORDER = (Part.SUPERVISING, Part.PROSECUTING, Part.DECIDING, Part.POLICING, Part.IMPRISONING, Part.ASSISTING)


@dataclass(frozen=True, slots=True)
class CaseSeen:
    """One case of a person, with what the caller has to do with it now."""

    case_no: str
    state: str
    seal: Seal
    minor_at_offence: bool
    offence_in_progress: bool
    visible_from: datetime | None
    parts: frozenset[Part]
    assigned: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Everything the register holds on a person, towards one caller. `orders`: case numbers opened, None for all."""

    seal: Seal = Seal.NONE
    relationship: Relationship = Relationship.NONE
    cases: Sequence[CaseSeen] = ()
    orders: Collection[str | None] = ()
    monitoring_order: bool = False
    break_glass: str | None = None
    break_glass_items: frozenset[str] = frozenset()


def facts_of(known: Known, claimed: str | None, now: datetime) -> SubjectFacts:
    """What policy is told. A person sealed towards the caller is one nobody knows, but for the reason."""
    claimed = None if claimed is None else folded(claimed)
    seals = {case.case_no: _seal(case, known.seal) for case in known.cases}
    opened = {
        case.case_no
        for case in known.cases
        if seals[case.case_no] is not Seal.NONE and _entitled(case, seals[case.case_no], claimed, known.orders)
    }
    unsealed = bool(opened) or bool(known.orders)
    if known.seal is not Seal.NONE and not opened and None not in known.orders:
        return SubjectFacts(seal=known.seal, relationship=known.relationship)
    seen = [case for case in known.cases if seals[case.case_no] is Seal.NONE or case.case_no in opened]
    mine = [case for case in seen if _live(case)]
    first = min(mine, key=lambda case: (case.case_no != claimed, _rank(case)), default=None)
    later = [case.visible_from for case in seen if case.visible_from is not None and case.visible_from > now]
    return SubjectFacts(
        case_link=_link(mine),
        case_role=str(_ORDER[_rank(first)]) if first is not None else "",
        claimed_case=any(case.case_no == claimed for case in mine),
        relationship=known.relationship,
        seal=known.seal,
        sealed_cases=frozenset(seals) - {case.case_no for case in seen},
        unsealed=unsealed,
        monitoring_order=known.monitoring_order,
        out_of_contact=any(case.state == "OUT_OF_CONTACT" or case.offence_in_progress for case in seen),
        revocation_pending=any(case.state == "REVOCATION_PENDING" for case in seen),
        break_glass=known.break_glass,
        break_glass_items=known.break_glass_items,
        visible_from=max(later, default=None),
    )


def _seal(case: CaseSeen, of_person: Seal) -> Seal:
    if case.seal is not Seal.NONE:
        return case.seal
    return Seal.SEALED_JUVENILE if case.minor_at_offence else of_person


def _entitled(case: CaseSeen, seal: Seal, claimed: str | None, orders: Collection[str | None]) -> bool:
    if None in orders or case.case_no in orders or case.parts & _ALWAYS[seal]:
        return True
    return case.case_no == claimed and bool(case.parts & _FOR_THE_CASE[seal])


def _live(case: CaseSeen) -> bool:
    """Whether it gives the caller's organisation a ground."""
    if case.state in OVER:
        return False
    return bool(case.parts & _ARCHIVE if case.state in _ENDED else case.parts)


def _rank(case: CaseSeen) -> int:
    return min(_ORDER.index(part) for part in case.parts)


def _link(mine: Sequence[CaseSeen]) -> CaseLink:
    if any(case.assigned for case in mine):
        return CaseLink.ASSIGNED
    return CaseLink.ORGANISATION if mine else CaseLink.NONE
