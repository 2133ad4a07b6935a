"""The questions a visitor starts from: GraphQL texts with their variables, as var/demo.json gives them out."""

from __future__ import annotations

from typing import Any

from demo.docket import of_office
from demo.people import Register
from demo.registrations import AID_APP, BANK_APP, DESK

CASE = "(2026)粤0604刑初123号"
STATEMENT = (
    "conductStatement.reportedOnTime",
    "conductStatement.noWarningInForce",
    "conductStatement.period",
    "conductStatement.validUntil",
)
"""What the bank asks consent for: leaf fields, each by its name."""

_ENVELOPE = (
    "state source asOf fetchedAt reason retryAt quality { field flag } withheld "
    "sources { source state asOf reason retryAt } conflicts { field values { value source asOf rank } }"
)
_PARTS = {
    "identity": "name sex birthDate ethnicity hukouAdmin hukouAddress phone lifeStatus",
    "residence": "regNo admin address residenceType startOn leftOn permitNo permitValidTo status",
    "insurance": "unitName kind status firstPaidOn lastPaidMonth monthsPaid24",
    "business": "uscc name role status estOn shareRatio abnormal",
    "cases": (
        "caseNo type decidingOrgan decisionDocNo effectiveOn startOn endOn chargeText originalPenalty addPenalties "
        "prohibitions level executionAdmin agencyOrg officeOrg state minorAtOffence"
    ),
    "documents": "docNo docType title issuerOrg issuedOn effectiveOn caseNo supersedes",
    "monitoringOrders": "orderNo legalGround approvedBy from to renewalOf liftedAt",
    "aftercare": "startOn untilOn helpItems employmentState remark",
}
_PURPOSE = f'@purpose(code: "CC_RECEPTION", caseNo: "{CASE}")'


def _part(name: str) -> str:
    return f"    {name} {{ {_ENVELOPE}\n      records {{ source asOf quality {{ field flag }} {_PARTS[name]} }} }}\n"


RECEPTION = (
    f"query Reception($idNo: String!, $name: String!) {_PURPOSE} {{\n"
    "  person(idNo: $idNo, name: $name) {\n    pid\n" + "".join(_part(name) for name in _PARTS) + "  }\n}"
)
LIST = f"""query List($of: [PersonKey!]!) {_PURPOSE} {{
  people(of: $of) {{
    pid
    residence {{ state source asOf reason best {{ address status }} }}
    insurance {{ state source asOf reason records {{ kind status lastPaidMonth }} }}
    cases {{ state source asOf reason records {{ source caseNo type state endOn }} }}
  }}
}}"""
CASES = f"""query Cases($first: Int!, $after: String) {_PURPOSE} {{
  cases(executionAdmin: "440604", first: $first, after: $after) {{
    state reason retryAt
    nodes {{ caseNo type chargeText startOn endOn level officeOrg state }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
CATALOGUE = """query Catalogue {
  catalogue {
    code kind title { zh en } provider { zh en } items { zh en } updateCycle shareClass condition { zh en }
    answers { noun by fields rank } health { state reason lastOkAt }
  }
}"""


BANK = """query Bank($idNo: String!, $name: String!) @purpose(code: "LOAN_SERVICE", reference: "loan-2026-118") {
  person(idNo: $idNo, name: $name) {
    conductStatements { records { reportedOnTime noWarningInForce period validUntil } }
  }
}"""
LEGAL_AID = f"""query LegalAid($idNo: String!, $name: String!)
@purpose(code: "LEGAL_AID_SERVICE", caseNo: "{CASE}") {{
  person(idNo: $idNo, name: $name) {{
    pid
    identity {{ state records {{ name sex }} }}
    legalAid {{ state source records {{ aidNo kind state lawyer acceptedOn }} }}
  }}
}}"""


def queries(people: Register) -> dict[str, dict[str, Any]]:
    """Name -> {query, variables, client, login}; the persons are the cast and those of the officer's own office.

    `login`: the officer who asks through `client`; "" where the client asks for itself.
    """
    zhang_san, li_mei = (_key(people, key) for key in ("zhang-san-017", "li-mei"))
    keys = [{"idNo": person.id_no, "name": person.name} for person in of_office(people.people)[:20]]

    def asked(query: str, variables: dict[str, Any], client: str = DESK, login: str = "officer-lin") -> dict[str, Any]:
        return {"query": query, "variables": variables, "client": client, "login": login}

    return {
        "reception": asked(RECEPTION, zhang_san),
        "list": asked(LIST, {"of": keys}),
        "cases": asked(CASES, {"first": 10, "after": None}),
        "catalogue": asked(CATALOGUE, {}),
        "refused": asked(RECEPTION, li_mei, login="officer-zhou"),
        "sealed": asked(RECEPTION, _key(people, "wang-xiao-ming")),
        "bank": asked(BANK, zhang_san, BANK_APP, ""),
        "legalaid": asked(LEGAL_AID, zhang_san, AID_APP, "lawyer-su"),
    }


def _key(people: Register, key: str) -> dict[str, str]:
    person = people.by_key(key)
    return {"idNo": person.id_no, "name": person.name}
