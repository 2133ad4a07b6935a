"""What a subject's own mask takes away from answers that were fetched before the subject was known, or for one who must
look like nobody. Pure.

A case is asked for by its number; whose it is, its rows say. The mask of that person is then laid over the rows, so
that what leaves is never more than policy grants for that very subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.source import Answer, Found, Row
from gateway.federation.hiding import no_record
from gateway.federation.masking import masked
from gateway.federation.shapes import Shape

ShapeOf = Callable[[Row], Shape]


def as_if_absent(answers: Sequence[Answer]) -> list[Answer]:
    """The same answers for someone who must look unknown: outages stay outages, records become "no record"."""
    return [no_record(answer) if isinstance(answer, Found) else answer for answer in answers]


def narrow(answers: Sequence[Answer], shape: Shape, shape_of_row: ShapeOf) -> tuple[list[Answer], bool]:
    """`answers` as each row's own subject allows, and whether any row was withheld (not: made absent)."""
    withheld = False
    narrowed: list[Answer] = []
    for answer in answers:
        if not isinstance(answer, Found):
            narrowed.append(answer)
            continue
        rows: list[Row] = []
        for row in answer.rows:
            own = shape_of_row(row)
            if own is shape:
                rows.append(row)
            elif own.open:
                rows.append(_narrowed(row, own))
            else:
                withheld |= not own.absent
        narrowed.append(replace(answer, rows=tuple(rows)) if rows or not answer.rows else no_record(answer))
    return narrowed, withheld


def _narrowed(row: Row, shape: Shape) -> Row:
    values = {
        name: masked(name, value) if name in shape.masked else value
        for name, value in row.values.items()
        if name in shape.shown
    }
    quality = tuple(pair for pair in row.quality if not pair[0] or pair[0] in shape.shown)
    return replace(row, values=values, quality=quality)
