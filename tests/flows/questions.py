"""The questions the stories ask, and how to read what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from demo.people import register

PURPOSE = '@purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号")'
PARTS = (
    "identity",
    "residence",
    "insurance",
    "business",
    "cases",
    "documents",
    "monitoringOrders",
    "aftercare",
)
STATES = "state reason retryAt sources { source state reason retryAt }"
ALL_STATES = f"""query States($of: [PersonKey!]!) {PURPOSE} {{
  people(of: $of) {{ {" ".join(f"{part} {{ {STATES} }}" for part in PARTS)} }}
}}"""


def person(selection: str) -> str:
    """A question about one person."""
    return (
        f"query One($idNo: String!, $name: String!) {PURPOSE} {{ person(idNo: $idNo, name: $name) {{ {selection} }} }}"
    )


def people(selection: str) -> str:
    """A question about a list of persons, `$of`."""
    return f"query Many($of: [PersonKey!]!) {PURPOSE} {{ people(of: $of) {{ {selection} }} }}"


def key_of(handle: str) -> dict[str, str]:
    """What one of the cast is asked by."""
    found = register().by_key(handle)
    return {"idNo": found.id_no, "name": found.name}


def source_of(part: Mapping[str, Any], code: str) -> dict[str, Any]:
    """What one source said within a part."""
    (found,) = (source for source in part["sources"] if source["source"] == code)
    return dict(found)


def flags(quality: Iterable[Mapping[str, Any]]) -> set[tuple[str | None, str]]:
    return {(doubt["field"], doubt["flag"]) for doubt in quality}
