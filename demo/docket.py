"""The register of cases as the agency would hand it to `yimen cases import`: who has which part in whose case.

One register for both gateways, as the city keeps one: Shunde must know that a person is Chancheng's to answer Chancheng.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from demo.bodies import (
    AGENCY,
    CITY_COURT,
    COURT,
    LEGAL_AID,
    OFFICES,
    POLICE,
    PRISON,
    PROCURATORATE,
    SHUNDE,
    table,
)
from demo.departments.fa import aided
from demo.people import CaseFact, Person

OUR_OFFICE, ASSIGNED = "祖庙司法所", "officer-lin"
LI_MEI_S_FORMER_HUSBAND = "officer-zhou"


@dataclass(frozen=True, slots=True)
class Party:
    case_no: str
    org_id: str
    part: str
    since: date


def parties(person: Person, case: CaseFact) -> Iterator[Party]:
    """Everybody with a part in one case of the cast; of the crowd the office that does the work, and for the officer's own
    office the agency and legal aid: enough to ask about, and quickly imported.
    """
    known = person.note or case.office == OUR_OFFICE
    every = tuple(_everybody(person, case))
    kept = every if person.note else every[:2] + tuple(p for p in every if p.org_id in (LEGAL_AID, SHUNDE))
    yield from (party for party in kept if known or party.org_id in OFFICES.values())


def _everybody(person: Person, case: CaseFact) -> Iterator[Party]:
    since = case.effective_on - timedelta(days=70)  # known to them since the investigation before the decision
    deciding = CITY_COURT if "06刑更" in case.case_no else COURT
    for org_id, part in (
        (AGENCY, "SUPERVISING"),
        (OFFICES.get(case.office or "", AGENCY), "SUPERVISING"),
        (deciding, "DECIDING"),
        (PROCURATORATE, "PROSECUTING"),
        (POLICE, "POLICING"),
        *(((PRISON, "IMPRISONING"),) if person.handover is not None else ()),
        *(((LEGAL_AID, "ASSISTING"),) if aided(person, case) else ()),
        *(((SHUNDE, "SUPERVISING"),) if any("SD" in other.held_by for other in person.cases) else ()),
    ):
        yield Party(case.case_no, org_id, part, since)


def supervised(people: Iterable[Person]) -> Iterator[tuple[Person, CaseFact]]:
    """Every person's case once; the neighbour's copy of a case is the same case."""
    for person in people:
        seen: set[str] = set()
        for case in person.cases:
            if case.case_no not in seen:
                seen.add(case.case_no)
                yield person, case


def of_office(people: Iterable[Person], office: str = OUR_OFFICE) -> list[Person]:
    """Who may be asked about there: adults with a running case of the office."""
    return [
        person
        for person, case in supervised(people)
        if case.office == office and case.state != "AFTERCARE" and not case.minor_at_offence
    ]


def case_files(people: Iterable[Person], *, officers: bool) -> dict[str, str]:
    """The files of an import. Without `officers` it is Shunde's: nobody logs in there, and only the agencies count."""
    cases = [
        (person, case)
        for person, case in supervised(people)
        if officers or person.note or case.office == OUR_OFFICE  # whom Chancheng's demo asks Shunde about
    ]
    docket = {
        (party.case_no, party.org_id, party.part): party
        for person, case in cases
        for party in parties(person, case)
        if officers or party.org_id in (AGENCY, SHUNDE)
    }
    files = {
        "cases.csv": table(
            ("id_no", "case_no", "state", "minor_at_offence", "execution_admin"),
            (
                (
                    person.id_no,
                    case.case_no,
                    case.state,
                    "true" if case.minor_at_offence else "false",
                    case.execution_admin,
                )
                for person, case in cases
            ),
        ),
        "parties.csv": table(
            ("case_no", "org_id", "part", "since"),
            ((party.case_no, party.org_id, party.part, party.since.isoformat()) for party in docket.values()),
        ),
    }
    if not officers:
        return files
    mine = [case for person, case in cases if case.office == OUR_OFFICE and person.note]
    return files | {
        "assignments.csv": table(
            ("case_no", "officer", "since"),
            ((case.case_no, ASSIGNED, case.effective_on.isoformat()) for case in mine),
        ),
        "relationships.csv": table(
            ("officer", "id_no", "kind", "declared_by"),
            (
                (LI_MEI_S_FORMER_HUSBAND, "440604198604040051", "SELF", LI_MEI_S_FORMER_HUSBAND),
                (LI_MEI_S_FORMER_HUSBAND, "44060419910518002X", "FORMER_SPOUSE", LI_MEI_S_FORMER_HUSBAND),
            ),
        ),
        "monitoring_orders.csv": table(
            ("order_no", "id_no", "legal_ground", "approved_by", "since", "until", "lifted_at"),
            (
                (
                    order.order_no,
                    person.id_no,
                    str(order.legal_ground),
                    "supervisor-he",
                    order.from_on.isoformat(),
                    order.to_on.isoformat(),
                    order.lifted_at.isoformat() if order.lifted_at else "",
                )
                for person, case in cases
                for order in person.monitoring_orders
                if order.dxbh == case.dxbh
            ),
        ),
    }
