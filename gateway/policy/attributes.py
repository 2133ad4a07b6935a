"""What a rule may ask about: every attribute of `context`, whose it is, and the words it may take.

The Cedar schema (`rules/schema.cedarschema`) names the same attributes; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.caller import Caller, CallerKind
from gateway.clock import CIVIL
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts


class Of(StrEnum):
    """What an attribute belongs to. ASKER and TIME are known when the operation is planned, the others per person."""

    ASKER = "ASKER"
    TIME = "TIME"
    PERSON = "PERSON"
    ITEM = "ITEM"  # of one item towards one person


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. `words`: the codes it may be compared with; empty where it is no closed set."""

    name: str
    of: Of
    zh: str
    en: str
    words: frozenset[str] = frozenset()


def _attribute(name: str, of: Of, zh: str, en: str, words: type[StrEnum] | None = None) -> Attribute:
    return Attribute(name, of, zh, en, frozenset(words) if words is not None else frozenset())


ATTRIBUTES: Mapping[str, Attribute] = {
    item.name: item
    for item in (
        _attribute("caller", Of.ASKER, "提问者类别", "kind of caller", CallerKind),
        _attribute("roles", Of.ASKER, "角色", "roles"),
        _attribute("posts", Of.ASKER, "岗位", "posts"),
        _attribute("jurisdiction", Of.ASKER, "辖区", "jurisdiction"),
        _attribute("level", Of.ASKER, "认证等级", "authentication level"),
        _attribute("hour", Of.TIME, "北京时间几点", "hour of the day in China"),
        _attribute("weekday", Of.TIME, "星期几", "day of the week, Monday is 1"),
        _attribute("caseLink", Of.PERSON, "与在办案件的关系", "link to a live case of the person", CaseLink),
        _attribute("casePart", Of.PERSON, "本单位在案件中的职责", "the organisation's part in the case"),
        _attribute(
            "claimedCase", Of.PERSON, "所称案号是否为本单位办理的此人案件", "the claimed case is this person's and ours"
        ),
        _attribute("relationship", Of.PERSON, "与此人的私人关系", "private relationship to the person", Relationship),
        _attribute("seal", Of.PERSON, "封存状态", "sealing state", Seal),
        _attribute("unsealed", Of.PERSON, "是否依法解封", "lawfully unsealed for this reader"),
        _attribute("monitoringOrder", Of.PERSON, "电子定位决定是否有效", "a monitoring order is in force"),
        _attribute("outOfContact", Of.PERSON, "是否脱管或正在违法犯罪", "out of contact, or an offence in progress"),
        _attribute("revocationPending", Of.PERSON, "是否正在审理撤销或收监", "revocation or recall is pending"),
        _attribute("breakGlass", Of.PERSON, "是否有紧急查询许可", "an emergency grant is in force"),
        _attribute("consent", Of.PERSON, "本人同意是否有效", "the person's consent is in force"),
        _attribute("emergencyNamed", Of.ITEM, "紧急查询许可是否列明该事项", "the emergency grant names this very item"),
        _attribute("consented", Of.ITEM, "本人同意是否包括该事项", "the person's consent covers this very item"),
    )
}

ASKER_VALUES: Mapping[str, Callable[[Caller], Any]] = {
    "caller": lambda caller: caller.kind.value,
    "roles": lambda caller: tuple(sorted(caller.roles)),
    "posts": lambda caller: tuple(sorted(caller.posts)),
    "jurisdiction": lambda caller: caller.jurisdiction,
    "level": lambda caller: caller.level,
}
TIME_VALUES: Mapping[str, Callable[[datetime], int]] = {
    "hour": lambda now: now.astimezone(CIVIL).hour,
    "weekday": lambda now: now.astimezone(CIVIL).isoweekday(),
}
PERSON_VALUES: Mapping[str, Callable[[SubjectFacts], Any]] = {
    "caseLink": lambda facts: facts.case_link.value,
    "casePart": lambda facts: facts.case_role,
    "claimedCase": lambda facts: facts.claimed_case,
    "relationship": lambda facts: facts.relationship.value,
    "seal": lambda facts: facts.seal.value,
    "unsealed": lambda facts: facts.unsealed,
    "monitoringOrder": lambda facts: facts.monitoring_order,
    "outOfContact": lambda facts: facts.out_of_contact,
    "revocationPending": lambda facts: facts.revocation_pending,
    "breakGlass": lambda facts: facts.break_glass is not None,
    "consent": lambda facts: facts.consent is not None,
}
