"""Codes into words for people: what a body, a purpose and a fact are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gateway.consent.consent import ItemTitle
from gateway.consent.notice import Both
from gateway.policy.decision import EXISTS
from gateway.policy.purposes import PurposeRegister, PurposeRule
from gateway.services.identities import Organisations
from schema.nouns import NounSpec

UNNAMED_BODY = Both("登记名录中没有的单位", "A body that is not in our register")
UNNAMED_PURPOSE = Both("未经登记的用途", "A purpose that is not registered")
_NOT_ASKING = {
    "ENROLMENT": Both("登记您的手机号", "Registering a phone for you"),
    "BREAK_GLASS": Both("申请紧急查询", "Asking for emergency access"),
    "DISPUTE": Both("办理您提出的异议", "Looking into what you disputed"),
}
"""What is done at the counter instead of asked; refused, it stands in the person's history too."""


class Words:
    """Names as they are now. `nouns` and `purposes` give what is in force at this moment."""

    def __init__(
        self,
        organisations: Organisations,
        nouns: Callable[[], Mapping[str, NounSpec]],
        purposes: Callable[[], PurposeRegister],
    ) -> None:
        self._organisations, self._nouns, self._purposes = organisations, nouns, purposes
        self._titled: tuple[Mapping[str, NounSpec], Mapping[str, ItemTitle]] | None = None

    async def organisation(self, org_id: str) -> Both:
        found = await self._organisations.organisation(org_id)
        if found is None:
            return UNNAMED_BODY
        return Both(found.name_zh, found.name_en or found.name_zh)

    def purpose(self, code: str) -> Both:
        rule = self.rule(code)
        return _NOT_ASKING.get(code, UNNAMED_PURPOSE) if rule is None else Both(rule.title_zh, rule.title_en)

    def rule(self, code: str) -> PurposeRule | None:
        return self._purposes().get(code)

    def titles(self) -> Mapping[str, ItemTitle]:
        """Every leaf field there is, "noun.field", with what people call it."""
        nouns = self._nouns()
        if self._titled is None or self._titled[0] is not nouns:
            self._titled = nouns, _titles(nouns)
        return self._titled[1]

    def facts(self, fields: Iterable[str]) -> Iterable[Both]:
        """What was asked, each once; whether there is any record at all is said as that."""
        titles, nouns = self.titles(), self._nouns()
        said = []
        for name in fields:
            noun, _, field = name.partition(".")
            if name in titles:
                said.append(Both(titles[name].zh, titles[name].en))
            elif noun in nouns and field == EXISTS:
                title = nouns[noun].title
                said.append(Both(f"{_short(title.zh)}：有无记录", f"{_short(title.en)}: whether there is a record"))
        return dict.fromkeys(said)


def _short(title: str) -> str:
    """Without what a clerk wants to know: standards in brackets, and "of one source"."""
    return title.split("(")[0].split("（")[0].split(";")[0].split(",")[0].removesuffix(" of one source").strip()


def _titles(nouns: Mapping[str, NounSpec]) -> Mapping[str, ItemTitle]:
    return {
        f"{noun.name}.{field.name}": ItemTitle(
            f"{_short(noun.title.zh)}：{_short(field.title.zh)}", f"{_short(noun.title.en)}: {_short(field.title.en)}"
        )
        for noun in nouns.values()
        for field in noun.fields
    }
