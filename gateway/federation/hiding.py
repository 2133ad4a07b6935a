"""Rows that must look as if they did not exist: of a sealed case, of a minor at the offence, of somebody the reader has
no ground towards. Pure.

What is left is what the source would have answered without them, down to the time it speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.source import MINOR, Absent, Answer, Failed, Found, Row
from gateway.policy.claim import folded
from gateway.policy.decision import Mask
from schema.nouns import PERSON, NounSpec

_CASE_NO = "caseNo"


def silent_fields(noun: NounSpec) -> frozenset[str]:
    """What is fetched with every record of this noun, shown or not: only these say whether it must be hidden."""
    return noun.field_names & {MINOR, _CASE_NO}


def is_personal(noun: NounSpec) -> bool:
    """Whether each record is some person's; one that names nobody then belongs to nobody the reader may ask about."""
    return any(link.on == PERSON for link in noun.links)


def is_hidden(row: Row, mask: Mask) -> bool:
    """Whether this row of a person (or thing) under `mask` must not be noticed."""
    if mask.hide_minor and row.values.get(MINOR) is True:
        return True
    if not mask.hidden_cases:
        return False
    named = {row.links.get(_CASE_NO), row.values.get(_CASE_NO)}
    return any(isinstance(case_no, str) and folded(case_no) in mask.hidden_cases for case_no in named)


def without(answers: Sequence[Answer], hidden: Callable[[Row], bool]) -> list[Answer]:
    """`answers` as if the hidden rows had never been there."""
    return [_without(answer, hidden) if isinstance(answer, Found) else answer for answer in answers]


def no_record(answer: Found) -> Answer:
    """What the source says where it has nothing: not known while something is missing, else "no record"."""
    if answer.incomplete is not None:
        return Failed(answer.incomplete)
    return Absent(answer.none_as_of or answer.as_of, answer.fetched_at)


def _without(answer: Found, hidden: Callable[[Row], bool]) -> Answer:
    rows = tuple(row for row in answer.rows if not hidden(row))
    if len(rows) == len(answer.rows):
        return answer
    return replace(answer, rows=rows) if rows else no_record(answer)
