"""The town's register of cases, for stories in which the rules decide on real facts, not on "everybody is mine"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from demo.people import register
from gateway.bootstrap.composition import Gateway, stored_facts
from gateway.caller import Caller
from gateway.policy.decision import Purpose
from gateway.policy.facts import Facts, Relationship, Seal, SubjectFacts
from gateway.supervision.case_facts import (
    AssignmentEntry,
    CaseEntry,
    Entry,
    Part,
    PartyEntry,
    RelationshipEntry,
    SealEntry,
)
from tests.flows.town import COUNT, SEED

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
OURS, THEIRS = "cc-jo-zumiao", "cc-jo-shiwan"
ZHOU = "officer-zhou"
MINOR = "wang-xiao-ming"


class StoreFacts:
    """The store's own facts of a gateway that is yet to be opened: `house(..., facts=...)` wants them beforehand."""

    inner: Facts | None = None

    def open(self, gateway: Gateway) -> None:
        self.inner = stored_facts(gateway.store, gateway.clock)

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        assert self.inner is not None, "open it first"
        return await self.inner.of(caller, purpose, subjects)


async def seed_register(gateway: Gateway) -> None:
    """Everybody's cases are `OURS` and officer-lin's, but 王小明's, which is `THEIRS`, a minor's and sealed; officer-zhou
    is 周凯, once married to 李梅."""
    people = register(SEED, COUNT)
    everybody = list(people.people)
    numbers = {one.key: one.id_no for one in everybody if len(one.id_no) == 18}
    subjects = dict(zip(numbers, await gateway.store.subjects.intern(list(numbers.values())), strict=True))
    entries: list[Entry] = []
    for one in everybody:
        if one.key not in subjects:
            continue
        org, user = (THEIRS, "officer-he") if one.key == MINOR else (OURS, "officer-lin")
        for case in one.cases:
            if case.case_no:
                entries += [
                    CaseEntry(case.case_no, subjects[one.key], minor_at_offence=case.minor_at_offence),
                    PartyEntry(case.case_no, org, Part.SUPERVISING, SINCE),
                    AssignmentEntry(case.case_no, user, SINCE),
                ]
    entries += [
        SealEntry(subjects[MINOR], Seal.SEALED_JUVENILE),
        RelationshipEntry(ZHOU, subjects["zhou-kai"], Relationship.SELF, "hr-1"),
        RelationshipEntry(ZHOU, subjects["li-mei"], Relationship.FORMER_SPOUSE, ZHOU),
    ]
    await gateway.store.cases.declare(entries)
