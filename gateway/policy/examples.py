"""Examples: reviewed statements of who may and may not, which a set of rules must bear out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import SettingsInvalid
from gateway.policy.cases import Case, Outcome, faults_of, put
from gateway.policy.decision import Effect
from gateway.policy.ruleset import RuleSet

_KEYS = {
    "row", "title", "kind", "purpose", "item", "asker", "person", "consent", "emergency", "case", "effect", "rule",
    "denied", "alarm",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One statement. `row` is the row of the access table it stands for; `rule` must be among those that decided."""

    number: int
    row: str
    title: str
    case: Case
    effect: Effect
    rule: str
    denied: str | None
    alarm: str | None

    @property
    def item(self) -> str:
        return self.case.items[0]


def read_examples(text: str, file: str) -> list[Example]:
    """Raises SettingsInvalid with every fault."""
    try:
        entries = tomllib.loads(text).get("examples", [])
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid((f"{file}: {error}",)) from None
    faults: list[str] = []
    examples: list[Example] = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        found = _example(number, entry, f"{file}: example {number}", faults)
        if found is not None:
            examples.append(found)
    if faults:
        raise SettingsInvalid(tuple(faults))
    return examples


def _example(number: int, entry: Mapping[str, Any], place: str, faults: list[str]) -> Example | None:
    before = len(faults)
    faults += [f"{place}: {name} is not known" for name in sorted(entry.keys() - _KEYS)]
    faults += [
        f"{place}: {name} is missing"
        for name in ("row", "title", "kind", "purpose", "item", "effect", "rule")
        if not isinstance(entry.get(name), str)
    ]
    faults += [f"{place}: {fault}" for fault in faults_of(entry.get("asker", {}), entry.get("person") or {})]
    if entry.get("effect") not in (*Effect,):
        faults.append(f"{place}: effect must be one of {', '.join(Effect)}")
    if len(faults) > before:
        return None
    case = Case(
        kind=entry["kind"],
        purpose=entry["purpose"],
        items=[entry["item"]],
        asker=entry.get("asker", {}),
        person=entry.get("person"),
        case_no="1" if entry.get("case", True) else None,
        consent=frozenset(entry["consent"]) if "consent" in entry else None,
        emergency=frozenset(entry["emergency"]) if "emergency" in entry else None,
    )
    return Example(
        number,
        entry["row"],
        entry["title"],
        case,
        Effect(entry["effect"]),
        entry["rule"],
        entry.get("denied"),
        entry.get("alarm"),
    )


async def failing(rules: RuleSet, examples: Sequence[Example]) -> list[tuple[Example, str]]:
    """The examples these rules do not bear out, each with what they say instead."""
    wrong: list[tuple[Example, str]] = []
    for example in examples:
        outcome = await put(rules, example.case)
        said = difference(example, outcome)
        if said:
            wrong.append((example, said))
    return wrong


def difference(example: Example, outcome: Outcome) -> str:
    """What differs, in one line; "" where all is as stated."""
    found: list[str] = []
    effect = outcome.effect(example.item)
    if effect is not example.effect:
        found.append(f"effect {effect}, not {example.effect}")
    if example.rule not in outcome.rules:
        found.append(f"decided by {', '.join(outcome.rules)}, not {example.rule}")
    if example.denied != outcome.mask.denied:
        found.append(f"denied {outcome.mask.denied}, not {example.denied}")
    if example.alarm is not None and example.alarm not in outcome.mask.alarms:
        found.append(f"raises {', '.join(outcome.mask.alarms) or 'no alarm'}, not {example.alarm}")
    return "; ".join(found)
