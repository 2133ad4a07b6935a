"""A disputed fact carries its doubt, and only where that fact is shown."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.federation.disputed import add_doubts
from gateway.services.disputes.ports import Disputed

DISPUTED = {"field": "status", "flag": "DISPUTED"}


def part(*sources: str) -> dict[str, Any]:
    records = [{"source": source, "quality": [{"field": None, "flag": "STALE"}]} for source in sources]
    return {"records": records, "best": records[0], "quality": ()}


@pytest.mark.parametrize(
    ("noun", "shown", "source", "marked"),
    [
        ("insurance", {"status"}, "", [True, True]),
        ("insurance", {"statusRaw"}, "", [True, True]),  # the raw word is the same fact
        ("insurance", {"kind"}, "", [False, False]),  # whoever is not shown it is not told
        ("residence", {"status"}, "", [False, False]),
        ("insurance", {"status"}, "SD", [False, True]),
    ],
)
def test_the_doubt_stands_beside_the_fact(noun: str, shown: set[str], source: str, marked: list[bool]) -> None:
    found = part("SB", "SD")
    for record in found["records"]:
        add_doubts(found, record, noun, shown, [Disputed("s", "insurance", "status", source)])
    assert [DISPUTED in record["quality"] for record in found["records"]] == marked
    assert (DISPUTED in found["quality"]) is marked[0]
    assert all({"field": None, "flag": "STALE"} in record["quality"] for record in found["records"])
