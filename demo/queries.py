"""The questions a visitor starts from: GraphQL texts with their variables, as var/demo.json gives them out."""

from __future__ import annotations

from typing import Any

from demo.people import Register

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
_PURPOSE = '@purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号")'


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


def queries(people: Register) -> dict[str, dict[str, Any]]:
    """Name -> {query, variables}; the persons are the cast and the first of the crowd."""
    keys = [{"idNo": person.id_no, "name": person.name} for person in people.people[:20]]
    return {
        "reception": {"query": RECEPTION, "variables": keys[0]},
        "list": {"query": LIST, "variables": {"of": keys}},
        "cases": {"query": CASES, "variables": {"first": 10, "after": None}},
        "catalogue": {"query": CATALOGUE, "variables": {}},
    }
