"""A disputed fact carries its doubt, and only where that fact is shown."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest

from gateway.federation.parts import build_part
from gateway.federation.shapes import shape_of
from gateway.federation.view import View
from gateway.policy.decision import EXISTS, Effect
from gateway.services.disputes.ports import Disputed
from schema.builtin import builtin_nouns
from tests.fakes.offers import NOW, found, offer

NOUNS = {noun.name: noun for noun in builtin_nouns()}
DISPUTED = {"field": "status", "flag": "DISPUTED"}
OLD = {"field": None, "flag": "STALE"}


class Said:
    def __init__(self, *said: Disputed) -> None:
        self._said = said

    def of(self, subject_id: str) -> Collection[Disputed]:
        return [one for one in self._said if one.subject_id == subject_id]


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
    asked = frozenset(shown)
    shape = shape_of(NOUNS[noun], asked, dict.fromkeys({EXISTS, "status", "kind"}, Effect.ALLOW))
    offers = [offer(code, noun, *asked, stale_after=timedelta(days=1)) for code in ("SB", "SD")]
    said = Said(Disputed("s", "insurance", "status", source), Disputed("another", "insurance", "status", source))
    view = View(shape, offers, NOW, said)
    part = build_part(view, [found({}, as_of=NOW - timedelta(days=9))] * 2, "s")
    assert [DISPUTED in record.quality for record in part.records] == marked
    assert (DISPUTED in part.quality) is marked[0]
    assert all(OLD in record.quality for record in part.records)
    nobodys = build_part(view, [found({})] * 2)
    assert not any(DISPUTED in record.quality for record in nobodys.records)
