"""A decision in plain sentences, Chinese and English: who asked what for what, which rule decided, on what basis, which
attributes mattered, and what would have to be different. Words are made from the rules' own titles and the registers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gateway.policy.attributes import ATTRIBUTES, Of
from gateway.policy.cases import Case, Outcome, put
from gateway.policy.conditions import mentioned
from gateway.policy.decision import Effect
from gateway.policy.public_rules import NO_CONSENT, NO_GROUND
from gateway.policy.ruleset import RuleSet, scope_entities
from gateway.policy.words import (
    EFFECTS,
    INNER,
    KINDS,
    LEVELS,
    OWN_KEY,
    REFUSALS,
    SENSITIVITY,
    SHARE_CLASSES,
    VALUES,
    Words,
)

_TRIALS: Sequence[tuple[str, Any, str, str]] = (
    ("caseLink", "ORGANISATION", "本单位对此人有在办案件", "the organisation had a live case of the person"),
    ("caseLink", "ASSIGNED", "此人的案件由提问者本人承办", "the person's case were assigned to this very officer"),
    ("claimedCase", True, "所称案号是本单位办理的此人案件", "the case number claimed were a case of this person that the organisation handles"),
    ("casePart", "DECIDING", "本单位是该案的决定机关", "the organisation were the deciding organ of the case"),
    ("monitoringOrder", True, "对此人的电子定位决定有效", "a monitoring order for the person were in force"),
    ("outOfContact", True, "此人脱管或者正在违法犯罪", "the person were out of contact or an offence in progress"),
    ("revocationPending", True, "正在审理撤销缓刑、假释或者收监执行", "revocation or recall were pending"),
    ("relationship", "NONE", "提问者与此人没有私人关系", "the officer had no private relationship to the person"),
    ("level", 2, "提问者以两种因素登录", "the asker had logged in with two factors"),
    ("unsealed", True, "依法对提问者解封", "the record were lawfully unsealed for the asker"),
)  # fmt: skip


async def explain(rules: RuleSet, case: Case) -> str:
    """The explanation of one case, as text. Speaks of inner reasons, so it is for those who review rules, not askers."""
    outcome = await put(rules, case)
    return "\n".join(
        [*_asked(rules, case), "", *[line async for line in _items(rules, case, outcome)], *_version(rules)]
    )


def _asked(rules: RuleSet, case: Case) -> Iterator[str]:
    purpose = rules.register.get(case.purpose)
    zh, en = KINDS.get(case.kind, (case.kind, case.kind))
    caller = case.asker.get("caller", "OFFICER")
    caller_zh, caller_en = VALUES["caller"].get(caller, (caller, caller))
    level = str(case.asker.get("level", 2))
    level_zh, level_en = OWN_KEY if caller != "OFFICER" and level == "2" else _word(LEVELS, level)
    yield f"提问者：{zh}（{case.kind}）的{caller_zh}，{level_zh}。"
    yield f"Who asks: {caller_en} of a {en} ({case.kind}), {level_en}."
    if purpose is None:
        yield f"用途：{case.purpose}，登记表中没有。 · For: {case.purpose}, which is in no register."
    else:
        yield f"用途：{purpose.title_zh}（{purpose.code}），依据{purpose.basis_zh}。"
        yield f"For: {purpose.title_en} ({purpose.code}), on the basis of {purpose.basis_en}."
    yield "写明案号。 · A case number is given." if case.case_no else "未写案号。 · No case number is given."
    said = [(name, value) for name, value in (case.person or {}).items() if value not in (False, "NONE", "")]
    if case.person is None:
        yield "不涉及具体的人。 · Nobody in particular is asked about."
    elif not said and case.consent is None and case.emergency is None:
        yield "被查询人：与提问者没有任何联系。 · The person: nothing links them to who asks."
    else:
        zh_words = "；".join(_said(name, value)[0] for name, value in said)
        en_words = "; ".join(_said(name, value)[1] for name, value in said)
        if said:
            yield f"被查询人：{zh_words}。"
            yield f"The person: {en_words}."
        if case.consent is not None:
            yield f"本人同意的事项：{'、'.join(sorted(case.consent))}。 · The person's consent names these items."
        if case.emergency is not None:
            yield f"紧急查询许可列明：{'、'.join(sorted(case.emergency))}。 · The emergency grant names these items."


async def _items(rules: RuleSet, case: Case, outcome: Outcome) -> AsyncIterator[str]:
    mask = outcome.mask
    if mask.denied is not None:
        zh, en = REFUSALS.get(mask.denied, (mask.denied, mask.denied))
        yield f"结果：不予答复（{mask.denied}）。{zh}"
        yield f"Outcome: refused ({mask.denied}). {en}"
        if mask.denied in (NO_GROUND.code, NO_CONSENT.code):
            yield f"对外只引用规则 {mask.rule_ids[0]}，不说明真正的原因。 · The answer names the rule {mask.rule_ids[0]} only, never the real reason."
        for reason in mask.inner_rule_ids:
            for line in _reason(rules, reason):
                yield line
        for alarm in mask.alarms:
            yield f"触发预警 {alarm}，提问者不知。 · Raises the alarm {alarm}; the asker is not told."
        async for line in _differently(rules, case, case.items[0]):
            yield line
        return
    ground = [reason for reason in mask.rule_ids if reason in rules.rules and _is_ground(rules, reason)]
    for reason in ground:
        for line in _reason(rules, reason):
            yield line
    if ground:
        yield ""
    for item in case.items:
        effect = outcome.effect(item)
        zh, en = EFFECTS[effect]
        title = rules.items.get(*item.split(".", 1))
        groups = "、".join(rules.items.groups[group][0] for group in title.groups) or "未登记"
        share, kept = _word(SHARE_CLASSES, title.share_class), _word(SENSITIVITY, title.sensitivity)
        yield f"事项 {item}（{groups}；{share[0]}；{kept[0]}）：{zh}。 · {en} ({share[1]}; {kept[1]})."
        single = await put(rules, replace(case, items=[item]))
        for reason in single.mask.rule_ids:
            if reason in ground or reason.startswith("purpose:"):
                continue  # said before: of the person, and of the purpose
            for line in _reason(rules, reason):
                yield "  " + line
        for line in _mattered(rules, case, single):
            yield "  " + line
        if effect is Effect.WITHHOLD:
            async for line in _differently(rules, case, item):
                yield "  " + line
    for alarm in mask.alarms:
        yield f"触发预警 {alarm}。 · Raises the alarm {alarm}."


def _reason(rules: RuleSet, reason: str) -> Iterator[str]:
    rule = rules.rules.get(reason)
    if rule is not None:
        verb_zh, verb_en = ("准许", "permits") if rule.permits else ("禁止", "forbids")
        if rule.permits and _is_ground(rules, reason):
            verb_zh, verb_en = "可以查询此人", "the person may be asked about"
        yield f"{verb_zh} · {verb_en}: {rule.id} ({rule.place})"
        yield f"    {rule.title[0]}。依据：{rule.annotations['basis_zh']}。"
        yield f"    {rule.title[1]}. Basis: {rule.annotations['basis_en']}."
    elif reason.startswith("purpose:"):
        purpose = rules.register.rules[reason.removeprefix("purpose:")]
        yield f"用途的范围 · what the purpose reaches: {purpose.code} ({purpose.title_zh} · {purpose.title_en})"
    else:
        zh, en = INNER.get(reason, (reason, reason))
        yield f"{zh}（{reason}）。 · {en[:1].upper()}{en[1:]} ({reason})."


def _mattered(rules: RuleSet, case: Case, outcome: Outcome) -> Iterator[str]:
    """The attributes the deciding rules look at, with their values here."""
    looked = {
        name
        for reason in outcome.rules
        if reason in rules.rules
        for name in mentioned(rules.rules[reason].tree.get("conditions", []))
    }
    values: dict[str, Any] = {"caller": "OFFICER", "level": 2, **case.asker}
    values |= {"caseLink": "NONE", "claimedCase": False, **(case.person or {})}
    values |= {"consent": case.consent is not None, "breakGlass": case.emergency is not None}
    told = [(name, values[name]) for name in ATTRIBUTES if name in looked and name in values]
    if told:
        zh = "；".join(_said(name, value)[0] for name, value in told)
        en = "; ".join(_said(name, value)[1] for name, value in told)
        yield f"起作用的属性：{zh}。 · What mattered: {en}."


async def _differently(rules: RuleSet, case: Case, item: str) -> AsyncIterator[str]:
    """Single facts, then pairs of them, that would turn a refusal round; found by trying, not by guessing."""
    if case.person is None:
        return
    trials = [trial for trial in _TRIALS if {**case.asker, **case.person}.get(trial[0]) != trial[1]]
    pairs = [(one, other) for number, one in enumerate(trials) for other in trials[number + 1 :] if one[0] != other[0]]
    for changes in [*((one,) for one in trials), *pairs]:
        rule = await _granting(rules, case, item, changes)
        if rule is not None:
            zh, en = "，并且".join(change[2] for change in changes), ", and ".join(change[3] for change in changes)
            yield f"若{zh}，则可提供。 · It would be given if {en}."
            for line in _reason(rules, rule):
                yield "  " + line
            return
    rule = await _granting(rules, case, item, [], frozenset({item})) if case.consent is None else None
    if rule is not None:
        yield "若本人对该事项的单独同意有效，则可提供。 · It would be given with the person's separate consent to this item."
        for line in _reason(rules, rule):
            yield "  " + line
        return
    noun, _, name = item.partition(".")
    purpose = rules.register.get(case.purpose)
    reached = None if purpose is None else purpose.nouns.get(noun, frozenset())
    if purpose is not None and reached is not None and name not in reached:
        yield (
            f"用途“{purpose.title_zh}”按登记不包括这一事项，任何事实都不能使其可以提供。 · "
            f"The purpose as it is registered does not reach this item; no fact would open it."
        )
        return
    yield "为此用途，没有任何一项或两项事实的改变能使其可以提供。 · For this purpose no change of one or two facts would open it."


async def _granting(
    rules: RuleSet,
    case: Case,
    item: str,
    changes: Sequence[tuple[str, Any, str, str]],
    consent: frozenset[str] | None = None,
) -> str | None:
    """The rule that would permit the item after these changes; None where none would."""
    changed = {name: value for name, value, _, _ in changes}
    trial = replace(
        case,
        items=[item],
        asker={**case.asker, **{name: value for name, value in changed.items() if ATTRIBUTES[name].of is Of.ASKER}},
        person={
            **(case.person or {}),
            **{name: value for name, value in changed.items() if ATTRIBUTES[name].of is Of.PERSON},
        },
        consent=consent if consent is not None else case.consent,
    )
    outcome = await put(rules, trial)
    if outcome.effect(item) not in (Effect.ALLOW, Effect.MASK):
        return None
    named = [rule for rule in outcome.mask.rule_ids if rule in rules.rules and rules.rules[rule].permits]
    return next((rule for rule in named if not _is_ground(rules, rule)), None)


def _is_ground(rules: RuleSet, rule: str) -> bool:
    """Whether it says who may be asked about, not what is given."""
    return any(entity.get("id") == "person.exists" for entity in scope_entities(rules.rules[rule].tree["resource"]))


def _word(words: Words, code: str) -> tuple[str, str]:
    return words.get(code, (code, code))


def _said(name: str, value: Any) -> tuple[str, str]:
    attribute = ATTRIBUTES[name]
    known = VALUES.get(name, {}).get(str(value))
    if known is not None:
        return known
    zh, en = ("是", "yes") if value is True else ("否", "no") if value is False else (str(value), str(value))
    if isinstance(value, list | tuple):
        zh = en = ", ".join(map(str, value)) or "-"
    return f"{attribute.zh}：{zh}", f"{attribute.en}: {en}"


def _version(rules: RuleSet) -> Iterator[str]:
    yield ""
    yield f"规则版本 · version of the rules: {rules.version[:16]}"
