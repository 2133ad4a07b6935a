"""How far one mask reaches into one noun: what is asked of sources under it, and what is left of their answers.

Made once for all persons of an operation who are under the same mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.source import MINOR, Answer, Key
from gateway.federation.disputed import DisputedFacts
from gateway.federation.hiding import is_hidden, without
from gateway.federation.loaders import Group
from gateway.federation.narrowing import as_if_absent
from gateway.federation.parts import Part, build_parts, no_source_part, withheld_part
from gateway.federation.shapes import Shape
from gateway.federation.view import View
from gateway.policy.decision import Mask


class Reach:
    """Of one noun, by the same key names, under one mask."""

    __slots__ = ("_absent", "_hides", "_mask", "group", "shape", "view")

    def __init__(
        self, shape: Shape, mask: Mask, group: Group | None, now: datetime, disputed: DisputedFacts, *, absent: bool
    ) -> None:
        """`group` is None where nobody may be asked; with `absent` the answers must look like those about nobody."""
        self.shape, self._mask, self._absent = shape, mask, absent
        self.group = group if group is not None and group.offers else None
        self.view = View(shape, self.group.offers if self.group is not None else (), now, disputed)
        self._hides = bool(mask.hidden_cases) or (mask.hide_minor and MINOR in shape.fetched)

    def parts(self, answered: Sequence[Sequence[Answer]], subjects: Sequence[str]) -> Sequence[Part]:
        """For each of `subjects` the part of the answers about them, less what must not be noticed."""
        if self._absent or self._hides:
            answered = [self._left(self.known(answers)) for answers in answered]
        return build_parts(self.view, answered, subjects)

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


class Lot:
    """Those of a level who are under one mask, when they are asked about by one noun's keys. All three run in step.

    Of one lot all keys are known or none is, and all subjects are known or none is.
    """

    __slots__ = ("asked", "keys", "of_somebody", "places", "reach", "subjects")

    def __init__(self, reach: Reach, keys: list[Any], subjects: list[Any], places: Sequence[int]) -> None:
        """`keys`: a Key or None each; `subjects`: an id or None each; `places`: where each stands in its level. The three
        are not empty."""
        self.reach, self.keys, self.subjects, self.places = reach, keys, subjects, places
        self.of_somebody = subjects[0] is not None
        group = reach.group
        # None where nobody is asked.
        self.asked: tuple[Group, Sequence[Key]] | None = None if group is None or keys[0] is None else (group, keys)
