"""The two questions of the table, word for word the same for every contender but for yimen's @purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bench.people import LIST, RECORDS, expected, persons

CASE = "(2026)粤0604刑初5039号"
PURPOSE = f' @purpose(code: "CC_RECEPTION", caseNo: "{CASE}")'
ENVELOPE = "state source asOf fetchedAt reason quality { field flag } "


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what a right answer's data hold."""

    name: str
    body: bytes
    root: str
    expected: Any

    @property
    def least(self) -> int:
        """How long a right answer's body is at least."""
        return len(orjson.dumps(self.expected))

    def wrong(self, answer: bytes) -> str:
        """ "" where `answer` is right, otherwise what is not. An envelope beside the leaves is no fault."""
        try:
            document = orjson.loads(answer)
            got = document["data"][self.root]
            bare = [_leaves(person) for person in got] if isinstance(got, list) else _leaves(got)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return f"no data: {answer[:300].decode('utf-8', 'replace')}"
        if document.get("errors"):
            return f"errors: {document['errors'][:1]}"
        return "" if bare == self.expected else f"other data than expected: {str(bare)[:300]}"


def questions(*, purpose: bool, envelope: bool = False, leaves: int = 4) -> Mapping[str, Question]:
    """`list`: 20 persons x 3 departments; `one`: the first of them. `leaves`: of each record, the first so many."""
    parts = " ".join(
        f"{noun} {{ {ENVELOPE if envelope else ''}records {{ {' '.join(names[:leaves])} }} }}"
        for noun, names in RECORDS.items()
    )
    of = PURPOSE if purpose else ""
    many = f"query List($of: [PersonKey!]!){of} {{ people(of: $of) {{ {parts} }} }}"
    one = f"query One($idNo: String!, $name: String!){of} {{ person(idNo: $idNo, name: $name) {{ {parts} }} }}"
    people = persons()
    return {
        "list": _question("list", many, "people", {"of": people[:LIST]}, expected(LIST, leaves)),
        "one": _question("one", one, "person", people[0], expected(1, leaves)[0]),
    }


def _question(name: str, query: str, root: str, variables: Any, right: Any) -> Question:
    return Question(name, orjson.dumps({"query": query, "variables": variables}), root, right)


def _leaves(person: Mapping[str, Any]) -> dict[str, Any]:
    return {noun: {"records": person[noun]["records"]} for noun in RECORDS}
