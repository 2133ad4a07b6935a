"""The access table of the law, written a second time in plain Python, from the table and not from the rules.

An oracle for the property test: who may see which row of the table, for what, on what ground. It knows no Cedar.
"""

from __future__ import annotations

from dataclasses import dataclass

CASE_ORGANS = {"POLICE", "PROCURATORATE", "COURT", "PRISON", "CORRECTION_AGENCY", "JUSTICE_OFFICE"}
CORRECTIONS = {"CORRECTION_AGENCY", "JUSTICE_OFFICE"}
JUDICIAL = {"POLICE", "PROCURATORATE", "COURT"}
PARTNERS = {"BANK", "EMPLOYER", "INSURER"}

ROW = {  # one item or more of each row of the table
    "identity.name": "identity", "identity.idNo": "identity", "identity.photoHash": "biometric",
    "correctionCase.type": "judgments", "correctionCase.endOn": "judgments", "legalDocument.title": "judgments",
    "residence.address": "livelihood", "residence.permitNo": "livelihood", "residence.landlordMasked": "hidden",
    "insurance.status": "livelihood", "insurance.wageBase": "hidden", "business.status": "livelihood",
    "report.at": "notes", "remoteCheck.result": "notes", "remoteCheck.faceScore": "biometric", "teamNote.text": "notes",
    "correctionPlan.measures": "notes", "monitoringOrder.to": "notes", "medical.result": "notes", "medical.diagnosis": "biometric",
    "aftercare.untilOn": "aftercare", "locationFix.lat": "location", "publicOrderPenalty.kind": "penalties",
    "conductStatement.reportedOnTime": "statement", "conductStatement.period": "statement", "scoreAssessment.value": "score",
    "credential.residence": "offer", "credential.stable-income": "offer", "credential.conduct-plan": "offer-conduct",
    "credential.leave-clearance": "offer-leave", "credential.discharge": "offer-discharge",
}  # fmt: skip
EMERGENCY = {"identity.name", "correctionCase.type", "residence.address"}

# Which purposes belong to whom, and which rows of the table each is for. Minimal fields are tested elsewhere.
PURPOSES: dict[str, tuple[set[str], set[str]]] = {
    "CC_RECEPTION": (CORRECTIONS, {"identity", "judgments", "livelihood", "notes", "aftercare"}),
    "CC_TRANSFER": (CORRECTIONS, {"identity", "judgments", "livelihood"}),
    "CC_PLAN": (CORRECTIONS, {"identity", "judgments", "livelihood", "notes"}),
    "CC_HELP": (CORRECTIONS, {"identity", "livelihood", "aftercare"}),
    "CC_SUPERVISION": (CORRECTIONS, {"identity", "judgments", "notes", "location"}),
    "PROC_SUPERVISION": ({"PROCURATORATE"}, {"identity", "judgments", "livelihood", "notes", "location"}),
    "COURT_EXECUTION": ({"COURT"}, {"identity", "judgments"}),
    "COURT_REVOCATION": ({"COURT"}, {"identity", "judgments", "notes"}),
    "POLICE_ASSISTANCE": ({"POLICE"}, {"identity", "judgments", "location"}),
    "CASE_HANDLING": (JUDICIAL, {"identity", "judgments", "penalties"}),
    "PRISON_HANDOVER": ({"PRISON"}, {"identity", "judgments"}),
    "LOAN_SERVICE": ({"BANK"}, {"statement"}),
    "EMPLOYMENT": ({"EMPLOYER"}, {"statement"}),
    "INSURANCE_SERVICE": ({"INSURER"}, {"statement"}),
    "CREDENTIAL_OFFER": (CORRECTIONS, {"offer", "offer-conduct", "offer-leave", "offer-discharge"}),
    "CREDENTIAL_ISSUE": (CORRECTIONS, {"judgments", "livelihood", "statement"}),
    "CREDENTIAL_RECHECK": (CORRECTIONS, {"judgments", "livelihood", "statement"}),
}
FOR_CREDENTIALS = {"CREDENTIAL_OFFER", "CREDENTIAL_ISSUE", "CREDENTIAL_RECHECK"}
BY_SYSTEMS = {"CREDENTIAL_ISSUE", "CREDENTIAL_RECHECK"}
"""Only the issuing system itself claims these, in the name of the body of the case."""


@dataclass(frozen=True)
class Asked:
    kind: str
    caller: str
    level: int
    purpose: str
    item: str
    case_link: str
    case_part: str
    claimed: bool
    relationship: str
    seal: str
    unsealed: bool
    order: bool
    out_of_contact: bool
    revocation: bool
    consented: frozenset[str] | None
    emergency: frozenset[str] | None


def ground(ask: Asked) -> bool:
    """Whether the person may be asked about at all."""
    if ask.relationship != "NONE" or (ask.purpose in BY_SYSTEMS and ask.caller != "SYSTEM"):
        return False
    if ask.seal != "NONE":
        if ask.purpose in FOR_CREDENTIALS:
            return False
        opened = ask.unsealed or (ask.kind in JUDICIAL and ask.claimed)
        if ask.caller == "PARTNER" or not opened:
            return False
    if ask.caller == "PARTNER":
        return ask.kind in PARTNERS and ask.consented is not None
    return ask.kind in CASE_ORGANS and (ask.case_link != "NONE" or _emergency(ask))


def _emergency(ask: Asked) -> bool:
    return ask.emergency is not None and ask.caller == "OFFICER" and ask.level >= 2


def may_see(ask: Asked) -> bool:
    """The row's readers, for its purposes, on its conditions. Nothing else."""
    kinds, rows = PURPOSES[ask.purpose]
    row = ROW[ask.item]
    if ask.kind not in kinds or not ground(ask):
        return False
    if row in ("hidden", "biometric", "score"):
        return False  # nobody; the score is off unless it is switched on
    if ask.caller == "PARTNER":
        return row == "statement" and ask.kind in PARTNERS and ask.consented is not None and ask.item in ask.consented
    if _emergency(ask) and ask.item in EMERGENCY and ask.item in (ask.emergency or ()) and row in rows:
        return True
    if ask.case_link == "NONE" or row not in rows:
        return False
    supervising = ask.case_part == "SUPERVISING"
    if ask.purpose in BY_SYSTEMS:
        return ask.caller == "SYSTEM" and (row == "livelihood" or supervising)
    if ask.purpose == "CREDENTIAL_OFFER":
        return ask.caller == "OFFICER" and (row == "offer" or supervising)
    conditions = {
        "identity": lambda: ask.kind in CASE_ORGANS,
        "judgments": lambda: (
            (ask.purpose != "CASE_HANDLING" if ask.kind == "COURT" else True)
            and (ask.kind != "COURT" or ask.case_part == "DECIDING")
            and (ask.kind != "PRISON" or ask.claimed)
        ),
        "livelihood": lambda: ask.kind in CORRECTIONS | {"PROCURATORATE"},
        "notes": lambda: ask.kind != "COURT" or ask.revocation,
        "aftercare": lambda: ask.kind in CORRECTIONS,
        "location": lambda: ask.caller == "OFFICER" and ask.level >= 2 and ask.order and _location(ask),
        "penalties": lambda: ask.kind in JUDICIAL and ask.claimed and ask.level >= 2,
        "statement": lambda: False,
    }
    return bool(conditions[row]())


def _location(ask: Asked) -> bool:
    if ask.kind in CORRECTIONS:
        return ask.case_link == "ASSIGNED"
    if ask.kind == "POLICE":
        return ask.out_of_contact
    return ask.kind == "PROCURATORATE" and ask.claimed


def minors_shown(ask: Asked) -> bool:
    """Whether rows about an offence under eighteen are shown to who may ask about the person: to the agency of the case
    (to which the row is not sealed), to judicial bodies on that case, and to bodies with an unseal order."""
    if not ground(ask) or ask.caller == "PARTNER" or ask.case_link == "NONE" or ask.purpose in FOR_CREDENTIALS:
        return False
    return ask.kind in CASE_ORGANS and (ask.unsealed or (ask.kind in JUDICIAL and ask.claimed))
