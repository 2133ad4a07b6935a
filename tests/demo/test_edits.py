"""What a visitor changes in a department's records."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from demo.edits import Edit
from demo.facts import ResidenceFact

FACT = ResidenceFact(
    reg_no="1", admin="440604001", address="旧居", registered_on=date(2024, 1, 1), permit_no="P", landlord="L"
)


def test_whoever_left_left_on_that_day_and_all_else_stays() -> None:
    id_no, edit = Edit.read({"id_no": "440606199003070017", "left_on": "2026-11-20"})
    found = edit.of(FACT)
    assert (id_no, found.left_on, found.address) == ("440606199003070017", date(2026, 11, 20), "旧居")
    assert (found.reg_no, found.permit_no, found.landlord, found.by_lgb) == ("1", "P", "L", True)


def test_whoever_moved_lives_elsewhere() -> None:
    _, edit = Edit.read({"id_no": "1", "address": "新居", "left_on": None})
    assert (edit.of(FACT).address, edit.of(FACT).left_on) == ("新居", None)


def test_a_registration_that_had_ended_stays_as_it_was() -> None:
    ended = Edit(left_on=date(2025, 1, 1)).of(FACT)
    assert Edit(left_on=date(2026, 11, 20), address="新居").of(ended) == ended


@pytest.mark.parametrize(
    "said",
    [{}, {"id_no": 1}, {"id_no": "1", "left_on": "yesterday"}, {"id_no": "1", "left_on": 3}, {"id_no": "1", "x": "y"},
     {"id_no": "1", "address": 7}, {"left_on": "2026-11-20"}],
)  # fmt: skip
def test_anything_else_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Edit.read(said)
