"""Twenty-five invented people and what three departments know of each: one record, four fields a department."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.people import everyone

COUNT = 25
LIST = 20  # persons of the list question

RECORDS = {
    "residence": ("regNo", "address", "admin", "permitNo"),
    "insurance": ("unitName", "unitUscc", "lastPaidMonth", "kind"),
    "business": ("name", "uscc", "role", "status"),
}
"""Department -> the four leaves every contender is asked for; its JSON has them under these very names."""

_UNITS = (
    ("佛山市禅城区恒兴五金有限公司", "91440604MA4UQ1AB0E"),
    ("佛山市禅城区永丰餐饮有限公司", "91440604MA51TK2C56"),
)


def persons() -> tuple[Mapping[str, str], ...]:
    """`{idNo, name}` of everybody: the demo's generated crowd, of right check digits and nowhere alive."""
    return tuple({"idNo": person.id_no, "name": person.name} for person in everyone(1)[50 : 50 + COUNT])


def rows() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Department -> ID number -> its record, with the person's idNo, personName and the record's own id beside it."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {noun: {} for noun in RECORDS}
    for number, person in enumerate(persons()):
        unit, uscc = _UNITS[number % len(_UNITS)]
        leaves: dict[str, dict[str, Any]] = {
            "residence": {
                "regNo": f"LG44060420260{number:07d}",
                "address": f"广东省佛山市禅城区祖庙街道汾江中路{number + 1}号{number + 101}房",
                "admin": "440604001",
                "permitNo": f"4406041{number:08d}",
            },
            "insurance": {"unitName": unit, "unitUscc": uscc, "lastPaidMonth": "2026-10", "kind": "PENSION"},
            "business": {"name": unit, "uscc": uscc, "role": "SHAREHOLDER", "status": "OPERATING"},
        }
        for noun, record in leaves.items():
            own = {"idNo": person["idNo"], "personName": person["name"], "id": f"{noun[:1]}{number}"}
            found[noun][person["idNo"]] = own | record
    return found


def expected(count: int, leaves: int = 4) -> list[dict[str, Any]]:
    """What the list of the first `count` persons must say, whoever answers, of the first `leaves` of each record."""
    by_noun = rows()
    return [
        {noun: {"records": [{leaf: by_noun[noun][person["idNo"]][leaf] for leaf in names[:leaves]}]}
         for noun, names in RECORDS.items()}
        for person in persons()[:count]
    ]  # fmt: skip
