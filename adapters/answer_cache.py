"""The short cache: what a source just said may be shown again for a few seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from adapters.source import Absent, Answer, Found


class AnswerCache:
    """Found and Absent for `keep_s`, the least recently used go first; never a failure, never half an answer.

    Size is bounded in records, since one answer may hold many. `about` names all that the answer depends on besides
    the key: noun, key names, granted fields, page.
    """

    def __init__(self, keep_s: float, *, records: int = 10_000, monotonic: Callable[[], float]) -> None:
        self._keep_s, self._most, self._monotonic = keep_s, records, monotonic
        self._kept: OrderedDict[tuple[Hashable, Hashable], tuple[float, Answer]] = OrderedDict()
        self._records = 0

    def get(self, about: Hashable, key: Hashable) -> Answer | None:
        entry = self._kept.get((about, key))
        if entry is None:
            return None
        if self._monotonic() >= entry[0]:
            self._drop((about, key))
            return None
        self._kept.move_to_end((about, key))
        return entry[1]

    def put(self, about: Hashable, key: Hashable, answer: Answer) -> None:
        match answer:
            case Found(incomplete=None) | Absent():
                self._drop((about, key))
                self._kept[(about, key)] = (self._monotonic() + self._keep_s, answer)
                self._records += _weight(answer)
                while self._records > self._most:
                    self._drop(next(iter(self._kept)))
            case _:
                pass

    def _drop(self, place: tuple[Hashable, Hashable]) -> None:
        entry = self._kept.pop(place, None)
        if entry is not None:
            self._records -= _weight(entry[1])


def _weight(answer: Answer) -> int:
    return max(1, len(answer.rows)) if isinstance(answer, Found) else 1
