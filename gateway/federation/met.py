"""Whom one operation met, under which mask each, and what of that evidence and the answer must say."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import filterfalse, repeat

from gateway.caller import Subjects
from gateway.policy.decision import Effect, Mask, Policy, Question
from gateway.policy.facts import Named


class Met:
    """The people of one operation. Policy is asked once a level, for those newly met.

    Three things can become of somebody met: they were asked for and may be seen, they were asked for and were refused,
    or they turned up in rows and were left out, of which neither the answer nor their own history says a word.
    """

    def __init__(self, policy: Policy, question: Question | None, mask: Mask, subjects: Subjects) -> None:
        self._policy, self._question, self._mask, self._subjects = policy, question, mask, subjects
        self.masks: dict[str, Mask] = {}  # of those decided on
        self._deciding: dict[frozenset[str], asyncio.Future[None]] = {}  # whom somebody is deciding on, disjoint sets
        self._shown: dict[str, None] = {}
        self._refused: dict[str, None] = {}
        self._sought: dict[str, None] = {}
        self.in_vain = False  # a case was asked for by its number, and nothing could be shown
        self.openly = False  # something was asked for that is not by a person, so the operation's own mask decided

    async def meet(self, id_numbers: Sequence[str], *, named: bool = False) -> Sequence[str]:
        """Subject ids of these normalised numbers, in order; the same read whether or not anybody knows them. `named`: by
        who asks, and not by rows."""
        if not id_numbers:
            return ()
        reader = self._question.caller.org_id if self._question is not None else ""
        subjects = await self._subjects.recognise(id_numbers, reader=reader)
        await self._decide(list(dict.fromkeys(subjects)), named)
        return subjects

    async def know(self, subjects: Sequence[str]) -> None:
        """These were met by another road than a number: decided on like anybody."""
        await self._decide(list(dict.fromkeys(subjects)))

    async def _decide(self, subjects: Sequence[str], named: bool = False) -> None:
        """Roots run side by side, and a decision may spend a consent: on each person once, whoever meets them first."""
        question, masks = self._question, self.masks
        while question is not None and (new := [*filterfalse(masks.__contains__, subjects)]):
            mine = new
            for others in self._deciding:
                mine = [subject for subject in mine if subject not in others]
            if not mine:  # it may fail there: then it is decided here, for without a mask nobody may be shown
                await asyncio.wait({done for others, done in self._deciding.items() if not others.isdisjoint(new)})
                continue
            deciding, done = frozenset(mine), asyncio.get_running_loop().create_future()
            self._deciding[deciding] = done
            try:
                asked = Named(mine) if named else mine
                found = await self._policy.decide_subjects(question, self._mask, asked)
                closed = {mask: _closed(mask) for mask in set(found)}
                masks.update(zip(mine, map(closed.__getitem__, found), strict=True))
            finally:
                del self._deciding[deciding]
                done.set_result(None)

    def mask_of(self, subject: str | None) -> Mask:
        """The operation's own mask for what is nobody's."""
        return self._mask if subject is None else self.masks.get(subject, self._mask)

    def asked_for(self, subjects: Sequence[str]) -> None:
        """These were named by who asks."""
        masks = set(map(self.masks.get, subjects, repeat(self._mask)))
        if all(mask.denied is None for mask in masks):
            self._shown.update(dict.fromkeys(subjects))
            return
        for subject, mask in self._under(subjects):
            (self._shown if mask.denied is None else self._refused)[subject] = None

    def turned_up(self, subjects: Sequence[str]) -> None:
        """Rows of these are shown."""
        self._shown.update(dict.fromkeys(subjects))

    def sought(self, subjects: Sequence[str]) -> None:
        """A case was asked for by number; it is these people's and may not be shown. Of an unknown number it is nobody's,
        and that is the same refusal."""
        self.in_vain = True
        self._sought.update(dict.fromkeys(subjects))

    @property
    def shown(self) -> Sequence[tuple[str, Mask]]:
        """Who may be seen, in the order met, and by which mask."""
        return self._under(self._shown)

    @property
    def refused(self) -> Sequence[tuple[str, Mask]]:
        """Who was asked for and refused, by name or by case number."""
        return self._under({**self._refused, **self._sought})

    @property
    def named(self) -> Sequence[tuple[str, Mask]]:
        """Of whom the answer may speak: whoever asked for a case number does not learn that it is somebody's."""
        return self._under({**self._shown, **self._refused})

    def _under(self, subjects: Collection[str]) -> Sequence[tuple[str, Mask]]:
        return list(zip(subjects, map(self.masks.get, subjects, repeat(self._mask)), strict=True))

    def pid(self, subject: str) -> str:
        return self._subjects.pid(subject, self._question.caller.org_id) if self._question is not None else ""


def _closed(mask: Mask) -> Mask:
    """A refused person's mask opens nothing and asks nobody, whatever else it says."""
    if mask.denied is None or all(
        effect is Effect.WITHHOLD for effects in mask.effects.values() for effect in effects.values()
    ):
        return mask
    return replace(mask, effects={})
