"""What deciding costs: a 20-person question over three sources' fields, persons in three classes, 200 rules.

    python -m bench.policy_cost

CPU milliseconds of this process for `decide` and `decide_subjects`. Rule sets, schema and entities are kept as handles in
every line; what differs is what was decided before:
  met before      the same kind of question about alike persons was decided before (what a running gateway does all day)
  new asker       no mask fits: an officer with other roles or another selection; what Cedar said of like ones is kept
  nothing known   no verdict and no mask is kept: three classes and the plan all go to Cedar
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from gateway.caller import Caller
from gateway.policy.cedar import CedarPolicy
from gateway.policy.decision import EXISTS, Purpose, Question
from gateway.policy.facts import CaseLink, SubjectFacts
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import RuleSet, read_rules, shipped

RULES, PERSONS, ROUNDS = 200, 20, 300
NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
CLASSES = (
    SubjectFacts(CaseLink.ASSIGNED, "SUPERVISING", claimed_case=True, unsealed=True),
    SubjectFacts(CaseLink.ORGANISATION, "SUPERVISING"),
    SubjectFacts(),  # nobody the asker has a ground towards
)
ASKED = {
    "residence": "address admin status startOn permitValidTo",
    "insurance": "kind status unitName lastPaidMonth monthsPaid24",
    "correctionCase": "caseNo type state startOn endOn",
}


class _Facts:
    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        return [CLASSES[int(subject) % len(CLASSES)] for subject in subjects]


class _Still:
    def now(self) -> datetime:
        return NOW


def rules() -> RuleSet:
    """The shipped rules and as many more as make 200: other bodies', other purposes', and some that must be looked at."""
    register = read_register()
    codes = sorted(register.rules)
    missing = RULES - len(read_rules(register).rules)
    more = "".join(
        f'@id("more-{number}") @title_zh("题") @title_en("t") @basis_zh("据") @basis_en("b")\n'
        f'permit (principal == OrganisationKind::"{("COURT", "POLICE", "JUSTICE_OFFICE", "PRISON")[number % 4]}", '
        f'action == Action::"{codes[number % len(codes)]}", resource in ItemGroup::"{("judgments", "livelihood", "supervision")[number % 3]}")\n'
        'when { context.caseLink == "ASSIGNED" && context.level >= 2 && context.jurisdiction == "440604" };\n'
        for number in range(missing)
    )
    return read_rules(register, {**shipped(), "more.cedar": more})


async def measure(policy: CedarPolicy, question: Question, before: Callable[[], None]) -> float:
    """Median CPU milliseconds of one question."""
    subjects = [str(number) for number in range(PERSONS)]
    taken: list[float] = []
    for _ in range(ROUNDS):
        before()
        began = time.process_time_ns()
        mask = await policy.decide(question)
        await policy.decide_subjects(question, mask, subjects)
        taken.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(taken)


async def figures() -> dict[str, float]:
    rule_set = rules()
    policy = CedarPolicy(rule_set.register, rule_set, _Facts(), _Still())
    asker = Caller("u", "o", "JUSTICE_OFFICE", frozenset({"JUSTICE_OFFICER"}), "t", NOW + timedelta(days=1),
                   frozenset({"CC_RECEPTION"}), level=2)  # fmt: skip
    asked = {noun: frozenset({EXISTS, *names.split()}) for noun, names in ASKED.items()}
    question = Question(asker, Purpose("CC_RECEPTION", "(2026)粤0604刑初123号"), asked)
    await measure(policy, question, lambda: None)
    return {
        "met before": await measure(policy, question, lambda: None),
        "new asker": await measure(policy, question, lambda: policy.forget(verdicts=False)),
        "nothing known": await measure(policy, question, policy.forget),
    }


def main() -> None:
    found = asyncio.run(figures())
    print(
        f"{RULES} rules, {PERSONS} persons in {len(CLASSES)} classes, {sum(len(names.split()) for names in ASKED.values())} fields"
    )
    for name, milliseconds in found.items():
        print(f"{name:14} {milliseconds:6.3f} ms CPU")


if __name__ == "__main__":
    main()
