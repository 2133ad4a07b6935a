"""Cedar files as their single policies, each with the line it begins on. Pure text, nothing is decided here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cedarpy

REQUIRED = ("id", "title_zh", "title_en", "basis_zh", "basis_en")
OPTIONAL = ("effect_kind", "alarm")
EFFECT_KINDS = frozenset({"mask"})


@dataclass(frozen=True, slots=True)
class RuleText:
    """One policy as written. `tree` is Cedar's own JSON form of it."""

    id: str
    file: str
    line: int
    text: str
    permits: bool
    annotations: Mapping[str, str]
    tree: Mapping[str, Any] = field(repr=False)
    application: bool = False  # brought by an application, not part of the base set

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def title(self) -> tuple[str, str]:
        return self.annotations["title_zh"], self.annotations["title_en"]

    @property
    def basis(self) -> str:
        return f"{self.annotations['basis_zh']} · {self.annotations['basis_en']}"

    @property
    def masks(self) -> bool:
        return self.annotations.get("effect_kind") == "mask"

    @property
    def alarm(self) -> str | None:
        return self.annotations.get("alarm")


def read_rule_file(name: str, text: str, faults: list[str], *, application: bool = False) -> list[RuleText]:
    """The policies of one file, in order; what is wrong with any of them is added to `faults`."""
    rules: list[RuleText] = []
    for line, statement in statements(text):
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(statement))
        except ValueError as error:
            faults.append(f"{name}:{line}: this is no Cedar policy: {error}")
            continue
        trees = list(parsed["staticPolicies"].values())
        if parsed["templates"] or len(trees) != 1:
            faults.append(f"{name}:{line}: a template is no rule; write principal, action and resource out")
            continue
        rule = _rule(name, line, statement, trees[0], application, faults)
        if rule is not None:
            rules.append(rule)
    return rules


def _rule(
    name: str, line: int, text: str, tree: Mapping[str, Any], application: bool, faults: list[str]
) -> RuleText | None:
    annotations: dict[str, str] = tree.get("annotations", {})
    before = len(faults)
    for wanted in REQUIRED:
        if not (annotations.get(wanted) or "").strip():
            faults.append(f'{name}:{line}: the policy needs @{wanted}("...")')
    faults.extend(
        f"{name}:{line}: @{given} is not known; there are {', '.join((*REQUIRED, *OPTIONAL))}"
        for given in annotations
        if given not in REQUIRED and given not in OPTIONAL
    )
    kind = annotations.get("effect_kind")
    if kind is not None and (kind not in EFFECT_KINDS or tree["effect"] != "permit"):
        faults.append(f'{name}:{line}: @effect_kind is "mask", on a permit; a forbid always withholds')
    if len(faults) > before:
        return None
    return RuleText(annotations["id"], name, line, text, tree["effect"] == "permit", annotations, tree, application)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each statement: everything up to its `;`, comments and strings respected."""
    begin: int | None = None
    line, begin_line, position = 1, 1, 0
    while position < len(text):
        character = text[position]
        if text.startswith("//", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        if character == '"':
            if begin is None:
                begin, begin_line = position, line
            end = position + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            line += text.count("\n", position, end)
            position = end + 1
            continue
        if begin is None and not character.isspace():
            begin, begin_line = position, line
        if character == "\n":
            line += 1
        if character == ";" and begin is not None:
            yield begin_line, text[begin : position + 1]
            begin = None
        position += 1
    if begin is not None:
        yield begin_line, text[begin:]
