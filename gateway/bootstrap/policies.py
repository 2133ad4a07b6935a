"""`yimen policy check | test | explain`: the rules looked at, tried and put into words. Nothing is changed here."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from gateway.bootstrap.policy_sets import examples_of, find, of_its_day, opened, rules_of, texts_in
from gateway.errors import SettingsInvalid
from gateway.policy.cases import Case, faults_of
from gateway.policy.examples import failing, read_examples
from gateway.policy.explain import explain
from gateway.policy.ruleset import EXAMPLES
from gateway.settings import manifests_dir


def check(directory: Path | None, manifests: Path | None) -> int:
    """Every fault of the rules, one a line, with file and line. 0 where there are none."""
    if manifests is None and directory is None and manifests_dir().is_dir():
        manifests = manifests_dir()
    try:
        rules = rules_of(texts_in(directory) if directory is not None else None, manifests)
        text = examples_of(directory)
        number = len(read_examples(text, EXAMPLES)) if text is not None else 0
    except SettingsInvalid as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        print(f"{len(error.faults)} 处错误 · faults", file=sys.stderr)
        return 1
    print(f"{len(rules.rules)} 条规则、{len(rules.register.rules)} 项用途、{number} 个示例,没有错误。")
    print(f"{len(rules.rules)} rules, {len(rules.register.rules)} purposes, {number} examples, no fault.")
    print(f"版本 · version {rules.version}")
    return 0


def test(directory: Path | None, manifests: Path | None, file: Path | None) -> int:
    """Whether the rules bear out every example; each that they do not, with what they say instead."""
    rules = rules_of(texts_in(directory) if directory is not None else None, manifests)
    text = file.read_text("utf-8") if file is not None else examples_of(directory)
    if text is None:
        raise SettingsInvalid((f"{directory}: there is no {EXAMPLES}",))
    examples = read_examples(text, file.name if file is not None else EXAMPLES)
    wrong = asyncio.run(failing(rules, examples))
    for example, said in wrong:
        print(f"示例 · example {example.number} [{example.row}] {example.title}\n    {said}")
    print(f"{len(examples) - len(wrong)} / {len(examples)} 个示例符合 · examples borne out")
    return 1 if wrong else 0


async def explain_case(given: argparse.Namespace) -> int:
    case = _case(given)
    if given.rules == "shipped":
        print(await explain(rules_of(None, None), case))
        return 0
    async with opened() as (store, settings):
        print(await explain(await find(given.rules, store, settings), case))
    return 0


async def explain_event(event_id: str) -> int:
    """A recorded request, under the version of its day. Speaks of inner reasons: for those who review, not for askers."""
    async with opened() as (store, _settings):
        decided, rules = await of_its_day(event_id, store)
        print(f"{event_id}  {decided.at:%Y-%m-%d %H:%M:%S} UTC")
        print(await explain(rules, decided.case))
    return 0


def _case(given: argparse.Namespace) -> Case:
    missing = [f"--{name}" for name in ("kind", "purpose", "item") if not getattr(given, name)]
    if missing:
        raise SettingsInvalid((f"explain needs {', '.join(missing)}, or --event",))
    person = None if given.nobody else dict(_pair(text) for text in given.person)
    asker = {"caller": given.caller, "level": given.level}
    faults = faults_of(asker, person or {})
    faults += [f"{item} is no item: write noun.field" for item in given.item if "." not in item]
    if given.caller not in ("OFFICER", "SYSTEM", "PARTNER"):
        faults.append(f"--caller {given.caller} is none of OFFICER, SYSTEM, PARTNER")
    if faults:
        raise SettingsInvalid(tuple(faults))
    return Case(
        kind=given.kind,
        purpose=given.purpose,
        items=given.item,
        asker=asker,
        person=person,
        case_no=None if given.no_case else "1",
        consent=frozenset(given.consent) if given.consent is not None else None,
        emergency=frozenset(given.emergency) if given.emergency is not None else None,
    )


def _pair(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, {"true": True, "false": False, "": True}.get(value.lower(), value)
