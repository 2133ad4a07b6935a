"""What is true about an invented person, in canonical words; each department renders it in its own raw form.

Codes here are the canonical enum names (schema/types). Dates are civil dates of Asia/Shanghai,
months are "YYYY-MM". A department translates to its own code table and may not know a fact at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidenceFact:
    """One registration with the floating-population office (LGB)."""

    reg_no: str
    admin: str  # GB/T 2260 with the office's own three digits behind: 440604001
    address: str
    residence_type: str = "WORK"  # WORK | BUSINESS | STUDY | OTHER
    registered_on: date
    left_on: date | None = None
    permit_no: str | None = None
    permit_valid_to: date | None = None
    landlord: str | None = None
    by_lgb: bool = True  # False: self-reported only, LGB does not hold it


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliceAddress:
    """Where the police (GA_POP QueryAddress) say the person lives now."""

    admin: str  # six digits
    address: str
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class InsuranceFact:
    """One row of the social-insurance file: one kind at one unit."""

    unit_uscc: str
    unit_name: str
    kind: str  # PENSION | UNEMPLOYMENT | MEDICAL | WORK_INJURY | MATERNITY
    status: str = "ACTIVE"  # ACTIVE | SUSPENDED | ENDED
    first_paid_on: date
    last_month: str  # YYYY-MM, one or two months behind
    months_paid_24: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessFact:
    """One part a person plays in one business."""

    uscc: str
    name: str
    role: str  # LEGAL_REPRESENTATIVE | SHAREHOLDER | EXECUTIVE | OPERATOR
    status: str = "OPERATING"  # OPERATING | REVOKED | DEREGISTERED
    est_on: date
    share: float | None = None  # 0..1
    abnormal: bool = False
    without_id: bool = False  # registered by name only: the homonym trap


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFact:
    """One correction case as one system tells it; two systems may tell the same `case_no` differently."""

    dxbh: str  # the province's number of the supervised person
    case_no: str
    case_type: str  # PUBLIC_SURVEILLANCE | PROBATION | PAROLE | TEMPORARY_SERVICE_OUTSIDE_PRISON | OTHER
    deciding_organ: str = "COURT"  # COURT | POLICE | PRISON_ADMINISTRATION
    decision_doc_no: str
    effective_on: date
    start_on: date
    end_on: date
    crime_category: str
    charge: str
    penalty: str  # DEATH_SUSPENDED | LIFE | FIXED_TERM | CRIMINAL_DETENTION | PUBLIC_SURVEILLANCE
    penalty_months: int | None = None
    add_penalties: tuple[str, ...] = ()
    prohibitions: tuple[str, ...] = ()
    level: str | None = "ORDINARY"  # BASIC | LENIENT | ORDINARY | STRICT; None = unknown (NULL)
    execution_admin: str = "440604"
    agency: str = "佛山市禅城区社区矫正管理局"
    office: str | None = "祖庙司法所"
    state: str = "SUPERVISED"
    minor_at_offence: bool = False
    held_by: tuple[str, ...] = ("GDSJ",)  # GDSJ and/or SD


@dataclass(frozen=True, slots=True, kw_only=True)
class CoDefendant:
    """Somebody else in the same judgment; never to be shown to a reader of this person."""

    name: str
    id_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgmentFact:
    """One document of the court (FY)."""

    doc_no: str
    doc_type: str  # JUDGMENT | RULING | DECISION | EXEC_NOTICE | CORRECTION
    title: str
    issuer: str
    case_no: str
    issued_on: date
    effective_on: date | None = None
    probation_months: int | None = None
    co_defendants: tuple[CoDefendant, ...] = ()
    supersedes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringFact:
    """One order for electronic monitoring (GDSJ holds the register)."""

    order_no: str
    dxbh: str
    legal_ground: int  # 1..5, law Art 29
    approved_by: str
    from_on: date
    to_on: date  # at most three months after from_on
    renewal_of: str | None = None
    device_id: str | None = None
    lifted_at: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AftercareFact:
    """Resettlement aftercare as one of the two registers (AZBJ_FS, AZBJ_N) has it."""

    reg_no: str
    released_on: date
    start_on: date
    until_on: date
    unit: str
    help_items: tuple[str, ...] = ()
    visits: tuple[date, ...] = ()
    employment: str | None = None  # EMPLOYED | UNEMPLOYED | STUDYING
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverFact:
    """What the prison (JY) hands over on parole or temporary service."""

    prison_no: str  # 罪犯编号
    prison: str
    id_as_written: str  # 15 or 18 characters, or "" where the file lacks it
    decided_on: date
    decision_doc_no: str
    case_no: str
    case_type: str
    start_on: date
    end_on: date
    term_text: str  # 余刑, as prisons write it
    charge: str
    crime_category: str
    decided_on_as_written: str  # "2026/3/7", "20260307" or "0000-00-00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Everything the departments know about one invented person, between them."""

    id_no: str  # 18 characters
    name: str
    sex: str  # MALE | FEMALE | UNKNOWN | UNSTATED
    birth_date: date | None  # None where the number holds an impossible date
    key: str  # stable handle for tests: "zhang-san-017"; generated people: "g0001"
    note: str = ""  # the story, for whoever reads var/demo.json
    ethnicity: str = "01"  # GB/T 3304 code
    hukou_admin: str = "440604"
    hukou_address: str = ""
    phone: str = ""
    life_status: str = "LIVING"  # LIVING | DECEASED_OR_CANCELLED
    used_names: tuple[str, ...] = ()
    photo_hash: str = ""
    in_population: bool = True  # GA_POP holds the person
    written_as: tuple[tuple[str, str], ...] = ()  # (source code, the name as that source writes it)
    residences: tuple[ResidenceFact, ...] = ()
    police_address: PoliceAddress | None = None
    insurance: tuple[InsuranceFact, ...] = ()
    businesses: tuple[BusinessFact, ...] = ()
    cases: tuple[CaseFact, ...] = ()
    judgments: tuple[JudgmentFact, ...] = ()
    monitoring_orders: tuple[MonitoringFact, ...] = ()
    aftercare_fs: AftercareFact | None = None
    aftercare_n: AftercareFact | None = None
    handover: HandoverFact | None = None

    @property
    def id15(self) -> str | None:
        """The legacy 15-digit form of the number; None for births outside 19xx."""
        return self.id_no[:6] + self.id_no[8:17] if self.id_no[6:8] == "19" else None

    def name_at(self, source: str) -> str:
        """The name as `source` writes it: the same but for the few with a rare character or a dot."""
        return dict(self.written_as).get(source, self.name)
