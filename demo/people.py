"""The invented people behind every simulated department: the cast of the brief and a generated crowd.

Nobody here exists. `everyone(seed)` is the same in every process that uses the same seed, which is
how departments that never speak to one another agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from demo.cast import cast
from demo.facts import (
    AftercareFact,
    BusinessFact,
    CaseFact,
    CoDefendant,
    HandoverFact,
    InsuranceFact,
    JudgmentFact,
    MonitoringFact,
    Person,
    PoliceAddress,
    ResidenceFact,
)
from demo.generate import generated

__all__ = [
    "AftercareFact",
    "BusinessFact",
    "CaseFact",
    "CoDefendant",
    "HandoverFact",
    "InsuranceFact",
    "JudgmentFact",
    "MonitoringFact",
    "Person",
    "PoliceAddress",
    "Register",
    "ResidenceFact",
    "cast",
    "everyone",
    "generated",
    "register",
]


@lru_cache(maxsize=4)
def everyone(seed: int = 1, count: int = 1000) -> tuple[Person, ...]:
    """The cast, then `count` generated people; no ID number twice."""
    return (*cast(), *generated(seed, count))


class Register:
    """Look-ups over people; every method is a dictionary access."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = tuple(people)
        self._by_id = {person.id_no: person for person in self.people}
        self._by_id15 = {person.id15: person for person in self.people if person.id15}
        self._by_key = {person.key: person for person in self.people}
        self._by_name: dict[str, list[Person]] = {}
        self._by_case: dict[str, list[Person]] = {}
        self._by_uscc: dict[str, list[Person]] = {}
        for person in self.people:
            self._by_name.setdefault(person.name, []).append(person)
            for case_no in {c.case_no for c in person.cases} | {j.case_no for j in person.judgments}:
                self._by_case.setdefault(case_no, []).append(person)
            for uscc in {business.uscc for business in person.businesses}:
                self._by_uscc.setdefault(uscc, []).append(person)

    def by_id(self, id_no: str) -> Person | None:
        """By the 18-character number or its 15-digit form."""
        return self._by_id.get(id_no) or self._by_id15.get(id_no)

    def by_key(self, key: str) -> Person:
        """By the cast's stable handle; KeyError where there is none."""
        return self._by_key[key]

    def by_name(self, name: str) -> tuple[Person, ...]:
        return tuple(self._by_name.get(name, ()))

    def by_case_no(self, case_no: str) -> tuple[Person, ...]:
        return tuple(self._by_case.get(case_no, ()))

    def by_uscc(self, uscc: str) -> tuple[Person, ...]:
        return tuple(self._by_uscc.get(uscc, ()))


@lru_cache(maxsize=4)
def register(seed: int = 1, count: int = 1000) -> Register:
    """The look-ups over `everyone(seed, count)`, built once a process."""
    return Register(everyone(seed, count))
