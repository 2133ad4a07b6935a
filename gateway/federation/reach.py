"""How far one mask reaches into one noun: what is asked of sources under it, and what is left of their answers.

Made once for all persons of an operation who are under the same mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from adapters.source import MINOR, Answer
from gateway.federation.disputed import DisputedFacts
from gateway.federation.hiding import is_hidden, without
from gateway.federation.loaders import Group
from gateway.federation.narrowing import as_if_absent
from gateway.federation.parts import Part, View, no_source_part, part_state, withheld_part
from gateway.federation.shapes import Shape
from gateway.policy.decision import Mask


class Reach:
    """Of one noun, by the same key names, under one mask."""

    __slots__ = ("_absent", "_hides", "_mask", "as_they_come", "group", "shape", "view")

    def __init__(
        self, shape: Shape, mask: Mask, group: Group | None, now: datetime, disputed: DisputedFacts, *, absent: bool
    ) -> None:
        """`group` is None where nobody may be asked; with `absent` the answers must look like those about nobody."""
        self.shape, self._mask, self._absent = shape, mask, absent
        self.group = group if group is not None and group.offers else None
        self.view = View(shape, self.group.offers if self.group is not None else (), now, disputed)
        self._hides = bool(mask.hidden_cases) or (mask.hide_minor and MINOR in shape.fetched)
        self.as_they_come = not absent and not self._hides

    def part(self, answers: Sequence[Answer], subject: str) -> Part:
        """The part of these answers about `subject`, less what must not be noticed."""
        if not self.as_they_come:
            answers = self._left(self.known(answers))
        view = self.view
        return Part(view, answers, subject, part_state(view, answers))

    def unasked(self) -> Part:
        """The part where nobody was asked."""
        return no_source_part(self.shape) if self.shape.open else withheld_part(self.shape)

    def known(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        """The answers as they are, or as they would be about somebody nobody knows."""
        return as_if_absent(answers) if self._absent else answers

    def _left(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        if not self._hides:
            return answers
        mask = self._mask
        return without(answers, lambda row: is_hidden(row, mask))
