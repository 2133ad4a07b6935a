"""A set of rules: Cedar policies, the schema they are checked against, and the items they speak of; one version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cedarpy

from gateway.errors import SettingsInvalid
from gateway.policy.conditions import grounded, strange_words
from gateway.policy.items import DeclaredNoun, Item, ItemRegister, read_items
from gateway.policy.purposes import PurposeRegister, register_of
from gateway.policy.rule_text import RuleText, read_rule_file

SHIPPED = Path(__file__).with_name("rules")
SCHEMA = "schema.cedarschema"
EXAMPLES = "examples.toml"
ITEMS = "items.toml"
_NEVER_BY_APPLICATIONS = frozenset({"juvenile", "location", "penalties"})
"""Groups whose use the law itself settles: only the reviewed rules open them, whatever a new purpose is called."""
_LARGEST = 1_000_000


@dataclass(frozen=True, eq=False)
class RuleSet:
    """Sound rules, ready to be asked. Equal only to itself; `version` is the hash of everything decisions depend on."""

    version: str
    register: PurposeRegister
    items: ItemRegister
    rules: Mapping[str, RuleText]  # by id
    schema: str
    entities: cedarpy.Entities = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)  # every text it was made of, to make it again (`remade`)

    def entities_of(self, kind: str, noun: str, name: str) -> cedarpy.Entities:
        """Of all entities the two that a question about this item by this kind of organisation is about."""
        item = self.items.get(noun, name)
        found = [_kind_entity(self.items, kind), _item_entity(noun, name, item)]
        return cedarpy.Entities.from_json_str(json.dumps(found))

    def groups_of_kind(self, kind: str) -> frozenset[str]:
        return frozenset(name for name, members in self.items.kinds.items() if kind in members)


def shipped() -> dict[str, str]:
    """The texts of the rules that come with yimen, by file name."""
    return folder(SHIPPED)


def folder(directory: Path) -> dict[str, str]:
    """The rule texts of a folder by file name: *.cedar, *.toml and the schema. Raises SettingsInvalid."""
    found: dict[str, str] = {}
    faults: list[str] = []
    paths = sorted([*directory.glob("*.cedar"), *directory.glob("*.toml"), *directory.glob(SCHEMA)])
    for path in paths:
        try:
            found[path.name] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path.name}: {type(error).__name__}")
    if sum(map(len, found.values())) > _LARGEST:
        faults.append(f"{directory}: more than {_LARGEST} characters are no rules a person can review")
    if faults:
        raise SettingsInvalid(tuple(faults))
    return found


def read_rules(
    register: PurposeRegister,
    base: Mapping[str, str] | None = None,
    applications: Mapping[str, str] | None = None,
    declared: Mapping[str, DeclaredNoun] | None = None,
) -> RuleSet:
    """The set that `base` (the shipped texts unless given) and what applications bring make together.

    Raises SettingsInvalid with every fault at once, each with file and line.
    """
    base = shipped() if base is None else base
    applications, declared = applications or {}, declared or {}
    faults: list[str] = []
    if SCHEMA not in base:
        raise SettingsInvalid((f"{SCHEMA}: the rules come without their schema",))
    items = read_items(_toml(base), _toml(applications), declared, faults)
    rules: dict[str, RuleText] = {}
    for name, text in sorted(base.items()):
        if name.endswith(".cedar"):
            _add(rules, read_rule_file(name, text, faults), faults)
    for name, text in sorted(applications.items()):
        if name.endswith(".cedar"):
            _add(rules, read_rule_file(f"policies/{name}", text, faults, application=True), faults)
    schema_text = base[SCHEMA] + "\n" + _actions(register)
    try:
        schema = cedarpy.Schema.from_str(schema_text)
    except ValueError as error:
        raise SettingsInvalid((*faults, f"{SCHEMA}: {error}")) from None
    for rule in rules.values():
        faults.extend(_rule_faults(rule, schema, items, register))
    entities_json = json.dumps(list(_entities(items)), sort_keys=True)
    if faults:
        raise SettingsInvalid(tuple(dict.fromkeys(faults)))
    entities = cedarpy.Entities.from_json_str(entities_json, schema)
    texts = _texts(register, base, applications, declared)
    return RuleSet(
        _version(texts), register, items, MappingProxyType(rules), schema_text, entities, MappingProxyType(texts)
    )


def _toml(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in sorted(texts.items()) if name.endswith(".toml") and name != EXAMPLES}


def _add(rules: dict[str, RuleText], found: Sequence[RuleText], faults: list[str]) -> None:
    for rule in found:
        held = rules.setdefault(rule.id, rule)
        if held is not rule:
            faults.append(f'{rule.place}: @id("{rule.id}") is already used at {held.place}')


def _actions(register: PurposeRegister) -> str:
    return "".join(
        f"action {json.dumps(code)} appliesTo {{ principal: OrganisationKind, resource: Item, context: Ask }};\n"
        for code in sorted(register.rules)
    )


def _entities(items: ItemRegister) -> Iterator[dict[str, Any]]:
    yield from (_entity("ItemGroup", group) for group in items.groups)
    yield from (_entity("KindGroup", group) for group in items.kinds)
    yield from (_entity("Noun", noun) for noun in items.items)
    for kind in sorted({kind for members in items.kinds.values() for kind in members}):
        yield _kind_entity(items, kind)
    for noun, fields in items.items.items():
        yield from (_item_entity(noun, name, item) for name, item in fields.items())


def _kind_entity(items: ItemRegister, kind: str) -> dict[str, Any]:
    groups = [("KindGroup", group) for group, members in items.kinds.items() if kind in members]
    return _entity("OrganisationKind", kind, groups)


def _item_entity(noun: str, name: str, item: Item) -> dict[str, Any]:
    parents = [("Noun", noun), *(("ItemGroup", group) for group in item.groups)]
    return _entity("Item", f"{noun}.{name}", parents, shareClass=item.share_class, sensitivity=item.sensitivity)


def _entity(kind: str, name: str, parents: Sequence[tuple[str, str]] = (), **attributes: Any) -> dict[str, Any]:
    above = [{"type": of, "id": parent} for of, parent in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": above}


def _rule_faults(
    rule: RuleText, schema: cedarpy.Schema, items: ItemRegister, register: PurposeRegister
) -> Iterator[str]:
    for error in cedarpy.validate_policies(rule.text, schema).errors:
        yield f"{rule.place}: {rule.id}: {error.error.removeprefix('for policy `policy0`, ')}"
    for name, word in strange_words(rule.tree.get("conditions", [])):
        yield f'{rule.place}: {rule.id}: context.{name} is never "{word}", so this never holds'
    known = {
        "ItemGroup": items.groups.keys(),
        "KindGroup": items.kinds.keys(),
        "Noun": items.items.keys(),
        "Item": {f"{noun}.{name}" for noun, fields in items.items.items() for name in fields},
    }
    for kind, name in _named_entities(rule.tree):
        if kind in known and name not in known[kind]:
            yield f'{rule.place}: {rule.id}: there is no {kind}::"{name}" in {ITEMS}'
    if rule.application and rule.permits and not _keeps_to_its_own(rule, items, register):
        yield (
            f"{rule.place}: {rule.id}: an application's permit names its own purposes (action) or its own nouns and "
            "groups (resource); it may not widen what others rest on. Under its purposes it names what it opens "
            f"(resource), and nothing of {', '.join(sorted(_NEVER_BY_APPLICATIONS))}"
        )
    if rule.application and rule.permits and _opens_a_person(rule, items) and not grounded(rule.tree["conditions"]):
        yield (
            f"{rule.place}: {rule.id}: an application opens a person only to whoever has a part in their case: "
            'when { context.caseLink != "NONE" && ... }'
        )


def _named_entities(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _named_entities(item)
    elif isinstance(node, Mapping):
        if set(node) == {"type", "id"}:
            yield str(node["type"]), str(node["id"])
        for item in node.values():
            yield from _named_entities(item)


def _keeps_to_its_own(rule: RuleText, items: ItemRegister, register: PurposeRegister) -> bool:
    codes = [str(entity["id"]) for entity in scope_entities(rule.tree["action"])]
    named = [(str(entity["type"]), str(entity["id"])) for entity in scope_entities(rule.tree["resource"])]
    if not named:
        return False
    if codes and all(code not in register.built_in for code in codes):
        return not any(_groups_opened(items, *entity) & _NEVER_BY_APPLICATIONS for entity in named)
    return all(name.partition(".")[0] in items.own for _, name in named)


def _opens_a_person(rule: RuleText, items: ItemRegister) -> bool:
    named = [(str(entity["type"]), str(entity["id"])) for entity in scope_entities(rule.tree["resource"])]
    return any(noun == "person" for entity in named for noun, _, _ in _opened(items, *entity))


def _groups_opened(items: ItemRegister, kind: str, name: str) -> set[str]:
    return {group for _, _, item in _opened(items, kind, name) for group in item.groups}


def _opened(items: ItemRegister, kind: str, name: str) -> Iterator[tuple[str, str, Item]]:
    """Every item a scope's entity covers."""
    for noun, fields in items.items.items():
        for field_name, item in fields.items():
            if (
                (kind == "Noun" and name == noun)
                or (kind == "ItemGroup" and name in item.groups)
                or (kind == "Item" and name == f"{noun}.{field_name}")
            ):
                yield noun, field_name, item


def scope_entities(scope: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entities a scope names; none for one that covers everything."""
    inner = scope.get("in") if scope.get("op") == "is" else scope
    if not isinstance(inner, Mapping):
        return []
    return list(inner["entities"]) if "entities" in inner else [inner["entity"]] if "entity" in inner else []


def _texts(
    register: PurposeRegister,
    base: Mapping[str, str],
    applications: Mapping[str, str],
    declared: Mapping[str, DeclaredNoun],
) -> dict[str, str]:
    nouns = {noun: {"share_class": what.share_class, "fields": dict(what.fields)} for noun, what in declared.items()}
    return {
        **{f"rules/{name}": text for name, text in base.items() if name != EXAMPLES},
        **{f"policies/{name}": text for name, text in applications.items() if name != EXAMPLES},
        **{f"purposes/{number:03}/{name}": text for number, (name, text) in enumerate(register.texts)},
        "declared.json": json.dumps(nouns, sort_keys=True, ensure_ascii=False),
    }


def remade(texts: Mapping[str, str]) -> RuleSet:
    """The set of these `RuleSet.texts`, as it was. Raises SettingsInvalid where this yimen can no longer read it."""
    purposes = [(name.split("/", 2)[2], text) for name, text in sorted(texts.items()) if name.startswith("purposes/")]
    declared = {
        noun: DeclaredNoun(what["share_class"], what["fields"])
        for noun, what in json.loads(texts.get("declared.json", "{}")).items()
    }
    return read_rules(
        register_of(purposes),
        {name.removeprefix("rules/"): text for name, text in texts.items() if name.startswith("rules/")},
        {name.removeprefix("policies/"): text for name, text in texts.items() if name.startswith("policies/")},
        declared,
    )


def _version(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()
