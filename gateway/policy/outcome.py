"""From verdicts to a mask: what is granted, which rules say so, and what must be told to nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.policy.decision import EXISTS, Effect, Mask
from gateway.policy.partition import Verdict
from gateway.policy.public_rules import (
    DEFAULT_DENY,
    NO_CASE_LINK,
    NO_CONSENT,
    NO_GROUND,
    NO_LIVE_CONSENT,
    POLICY_ERROR,
)
from gateway.policy.purposes import PurposeRule
from gateway.policy.ruleset import RuleSet

_GRANTS = (Effect.ALLOW, Effect.MASK)


def granted_mask(
    rules: RuleSet,
    purpose: PurposeRule,
    effect: Callable[[str, str, Verdict], Effect],
    verdicts: Mapping[tuple[str, str], Verdict],
    ground: Verdict | None,
    inputs: Mapping[str, Any],
) -> Mask:
    """The mask of these verdicts. Every refusal names its rule: the one that forbids, the purpose, or that none permits.

    `ground` is what the person may be asked about on; None while nobody in particular is asked about.
    """
    effects: dict[str, dict[str, Effect]] = {}
    ids: dict[str, None] = {}
    alarms: dict[str, None] = {}
    failed = False
    if ground is not None:
        ids |= dict.fromkeys(_quiet(rules, ground))
        alarms |= dict.fromkeys(_alarms(rules, ground))
    granting: dict[int, Verdict] = {}  # items of one lot share their verdict: each is looked through once
    refusing: dict[int, Verdict] = {}
    for (noun, name), verdict in verdicts.items():
        found = effects.setdefault(noun, {})[name] = effect(noun, name, verdict)
        (granting if found in _GRANTS else refusing)[id(verdict)] = verdict
    for verdict in granting.values():
        ids |= dict.fromkeys(_quiet(rules, verdict))
        alarms |= dict.fromkeys(_alarms(rules, verdict))
    for verdict in refusing.values():
        ids |= dict.fromkeys(verdict.forbids)
        failed = failed or verdict.failed
    for fields in effects.values():
        _settle_existence(fields)
    named = sorted(ids)
    if any(
        not (verdict.allowed or verdict.forbids or verdict.outside) and effects[noun][name] is Effect.WITHHOLD
        for (noun, name), verdict in verdicts.items()
    ):
        named.append(DEFAULT_DENY)
    withheld = [
        f"{noun}.{name}"
        for noun in sorted(effects)
        for name in sorted(effects[noun])
        if effects[noun][name] not in _GRANTS
    ]
    basis = dict.fromkeys([f"{purpose.basis_zh} · {purpose.basis_en}", *(rules.rules[rule].basis for rule in ids)])
    return Mask(
        effects,
        (f"purpose:{purpose.code}", *named),
        tuple(basis),
        rules.version,
        inner_rule_ids=(POLICY_ERROR,) if failed else (),
        alarms=tuple(sorted(alarms)),
        inputs=_json({**inputs, "withheld": withheld} if withheld else inputs),
    )


def denied_mask(
    rules: RuleSet, asked: Mapping[str, frozenset[str]], ground: Verdict, inputs: Mapping[str, Any], *, partner: bool
) -> Mask:
    """One and the same refusal to look at, whatever the reason; the reason stands inside."""
    public = NO_CONSENT if partner else NO_GROUND
    inner = (POLICY_ERROR,) if ground.failed else ground.forbids or ((NO_LIVE_CONSENT,) if partner else (NO_CASE_LINK,))
    alarms = {rules.rules[rule].alarm for rule in ground.forbids} - {None} or {"A11_INSIDER"}
    return Mask(
        {noun: dict.fromkeys(names, Effect.WITHHOLD) for noun, names in asked.items()},
        (public.id,),
        (public.basis,),
        rules.version,
        denied=public.code,
        inner_rule_ids=inner,
        alarms=() if partner or ground.failed else tuple(sorted(filter(None, alarms))),
        inputs=_json(inputs),
    )


def _json(inputs: Mapping[str, Any]) -> str:
    return orjson.dumps(inputs).decode()


def _quiet(rules: RuleSet, verdict: Verdict) -> tuple[str, ...]:
    """The permits to name: an emergency is named only where nothing else permits."""
    return tuple(rule for rule in verdict.permits if rules.rules[rule].alarm is None) or verdict.permits


def _alarms(rules: RuleSet, verdict: Verdict) -> tuple[str, ...]:
    """The alarms of a grant: only where no quiet rule permits it as well."""
    loud = [rules.rules[rule].alarm for rule in verdict.permits]
    return tuple(alarm for alarm in loud if alarm is not None) if all(loud) else ()


def _settle_existence(fields: dict[str, Effect]) -> None:
    """That there is a record is known to whoever may read something of it; a masked existence is an existence."""
    if EXISTS in fields and any(effect in _GRANTS for effect in fields.values()):
        fields[EXISTS] = Effect.ALLOW
