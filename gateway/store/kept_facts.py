"""What was said of persons lately, for as long as nothing was written since (SQLite, ADR 0023).

Kept for each asker apart: what others asked makes nobody's question quicker. All of it belongs to one state of
the tables; in another, nothing of it is left.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from gateway.policy.facts import SubjectFacts
from gateway.store.facts_rows import FOREVER, Said

Asker = tuple[str, str]  # user, organisation
WorkOut = Callable[[Mapping[str, Said], str | None, int], tuple[Mapping[str, SubjectFacts], int]]
_MOST = 4096  # persons, counted for each asker: about 6 MB
_CLAIMS = 4  # by each asker, of which what it comes to is at hand


class KeptFacts:
    """In which `state` they were read, and what; the asker who asked longest ago is forgotten first."""

    def __init__(self, most: int = _MOST) -> None:
        self.state: str | None = None
        self._most, self._many = most, 0
        self._askers: OrderedDict[Asker, OfAsker] = OrderedDict()

    def of(self, asker: Asker) -> OfAsker | None:
        found = self._askers.get(asker)
        if found is not None:
            self._askers.move_to_end(asker)
        return found

    def keep(self, asker: Asker, state: str, said: Mapping[str, Said], at_us: int) -> OfAsker | None:
        """What was read in `state` at that instant. None where it is too much to keep."""
        if state != self.state:
            self.clear()
            self.state = state
        if len(said) > self._most:
            return None
        mine = self._askers.pop(asker, None)
        before = len(mine.said) if mine is not None else 0
        if mine is None or at_us < mine.read_us or before + len(said) > self._most:
            self._many -= before
            mine, before = OfAsker(), 0
        mine.add(said, at_us)
        self._askers[asker] = mine
        self._many += len(mine.said) - before
        while self._many > self._most:
            _, gone = self._askers.popitem(last=False)
            self._many -= len(gone.said)
        return mine

    def clear(self) -> None:
        self.state = None
        self._askers.clear()
        self._many = 0

    def __len__(self) -> int:
        return self._many


class OfAsker:
    """What was said to one asker, and what it comes to for as long as no span of time begins or ends."""

    __slots__ = ("_facts", "_since", "_until", "read_us", "said")

    def __init__(self) -> None:
        self.said: dict[str, Said] = {}
        self.read_us = 0  # what was over by then is not there
        self._facts: dict[str | None, dict[str, SubjectFacts]] = {}  # by the case claimed
        self._since, self._until = 0, FOREVER

    def add(self, said: Mapping[str, Said], at_us: int) -> None:
        self.said.update(said)
        self.read_us = max(self.read_us, at_us)

    def holds(self, subjects: Sequence[str], now_us: int) -> bool:
        """Whether of all these something is there that can be told at `now_us`."""
        return self.read_us <= now_us and all(map(self.said.__contains__, subjects))

    def at(self, subjects: Sequence[str], claimed: str | None, now_us: int, work_out: WorkOut) -> list[SubjectFacts]:
        """Of those it `holds`. Nothing is asked for it, whatever began or ended since."""
        if not self._since <= now_us < self._until:
            self._facts, self._until = {}, FOREVER
        facts = self._facts.get(claimed)
        if facts is None:
            if len(self._facts) >= _CLAIMS:
                self._facts, self._until = {}, FOREVER
            facts = self._facts[claimed] = {}
        if not all(map(facts.__contains__, subjects)):
            missing = {subject: self.said[subject] for subject in subjects if subject not in facts}
            found, until = work_out(missing, claimed, now_us)
            facts.update(found)
            self._since, self._until = now_us, min(self._until, until)
        return list(map(facts.__getitem__, subjects))
