"""The register of items: which field of which noun is what, for rules to speak of. Reviewed text, like the rules."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from gateway.policy.decision import EXISTS

CLASSES = ("U", "C", "N")
SENSITIVITIES = ("PUBLIC", "GENERAL", "PERSONAL", "SENSITIVE", "LOCATION", "MEDICAL", "BIOMETRIC")
APPLICATION = "application"
"""The group of every item that only a manifest declares."""
CREDENTIAL = "credential"
"""The noun whose fields are types of credentials: the one noun to which an application may add, in groups of its own."""


@dataclass(frozen=True, slots=True)
class Item:
    """One field of one noun. What nobody registered is N: not shared."""

    groups: tuple[str, ...] = ()
    share_class: str = "N"
    sensitivity: str = "SENSITIVE"


UNREGISTERED = Item()


@dataclass(frozen=True, slots=True)
class DeclaredNoun:
    """A noun that only a manifest declares: the share class of its source and how sensitive each field is said to be."""

    share_class: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ItemRegister:
    """Every item by noun and field, the groups of items, and the groups of organisation kinds."""

    items: Mapping[str, Mapping[str, Item]]
    groups: Mapping[str, tuple[str, str]]  # name -> (Chinese, English)
    kinds: Mapping[str, frozenset[str]]  # group -> organisation kinds
    own: frozenset[str] = field(default_factory=frozenset)  # nouns and groups an application brought

    def get(self, noun: str, name: str) -> Item:
        return self.items.get(noun, {}).get(name, UNREGISTERED)


def read_items(
    base: Mapping[str, str], applications: Mapping[str, str], declared: Mapping[str, DeclaredNoun], faults: list[str]
) -> ItemRegister:
    """`base` and `applications` are texts by file name; later files add, never change. Faults are added to `faults`."""
    items: dict[str, dict[str, Item]] = {}
    groups: dict[str, tuple[str, str]] = {}
    kinds: dict[str, frozenset[str]] = {}
    own: set[str] = set()
    for name, text in [*base.items(), *applications.items()]:
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            faults.append(f"{name}: {error}")
            continue
        mine = name in applications
        faults += [f"{name}: {key} is not known; there are kinds, groups and nouns" for key in tables.keys() - _KEYS]
        _read_kinds(name, tables.get("kinds", {}), kinds, faults)
        for group, title in _table(name, "groups", tables, faults).items():
            if group in groups:
                faults.append(f"{name}: groups.{group} is already there; a later file may only add")
            elif not (isinstance(title, dict) and all(isinstance(title.get(tongue), str) for tongue in ("zh", "en"))):
                faults.append(f'{name}: groups.{group} must be {{ zh = "...", en = "..." }}')
            else:
                groups[group] = (title["zh"], title["en"])
                own |= {group} if mine else set()
        for noun, table in _table(name, "nouns", tables, faults).items():
            if noun == CREDENTIAL and mine and isinstance(table, dict):
                _add_types(f"{name}: nouns.{noun}", table, groups, items.setdefault(noun, {}), own, faults)
            elif noun in items:
                faults.append(f"{name}: nouns.{noun} is already there; a later file may only add")
            elif isinstance(table, dict):
                items[noun] = _noun(f"{name}: nouns.{noun}", table, groups, faults)
                own |= {noun} if mine else set()
            else:
                faults.append(f"{name}: nouns.{noun} must be a table")
    for noun, what in declared.items():
        if noun in items and what.share_class == "N":  # whatever a file says: its source shares it with nobody
            items[noun] = {name: replace(item, share_class="N") for name, item in items[noun].items()}
        if noun not in items:
            own.add(noun)
            items[noun] = {EXISTS: Item((APPLICATION,), what.share_class, "GENERAL")} | {
                name: Item((APPLICATION,), what.share_class, sensitivity) for name, sensitivity in what.fields.items()
            }
    return ItemRegister(MappingProxyType(items), MappingProxyType(groups), MappingProxyType(kinds), frozenset(own))


def _add_types(
    place: str,
    table: Mapping[str, Any],
    groups: Mapping[str, tuple[str, str]],
    held: dict[str, Item],
    own: set[str],
    faults: list[str],
) -> None:
    """A new type of credential is opened by a rule that was written for it, so it stands in no group of others."""
    for field_name, item in _noun(place, table, groups, faults).items():
        if field_name in held:
            faults.append(f"{place}: {field_name} is already there; a later file may only add")
        elif not own.issuperset(item.groups):
            faults.append(f"{place}: {field_name} must be in groups this application brings itself")
        else:
            held[field_name] = item


_KEYS = {"kinds", "groups", "nouns"}


def _table(name: str, key: str, tables: Mapping[str, Any], faults: list[str]) -> Mapping[str, Any]:
    found = tables.get(key, {})
    if isinstance(found, dict):
        return found
    faults.append(f"{name}: {key} must be a table")
    return {}


def _read_kinds(name: str, table: Any, kinds: dict[str, frozenset[str]], faults: list[str]) -> None:
    if not isinstance(table, dict):
        faults.append(f"{name}: kinds must be a table")
        return
    for group, members in table.items():
        if group in kinds:
            faults.append(f"{name}: kinds.{group} is already there; a later file may only add")
        elif not _texts(members):
            faults.append(f"{name}: kinds.{group} must be a list of organisation kinds")
        else:
            kinds[group] = frozenset(members)


def _noun(
    place: str, table: Mapping[str, Any], groups: Mapping[str, tuple[str, str]], faults: list[str]
) -> dict[str, Item]:
    faults += [f"{place}.{key} is not known" for key in table.keys() - {"fields", "special", *_ITEM}]
    default = _item(place, table, groups, faults)
    names = table.get("fields", [])
    if not _texts(names):
        faults.append(f"{place}.fields must be a list of field names")
        names = []
    found = dict.fromkeys(names, default)
    special = table.get("special", {})
    for field_name, own in special.items() if isinstance(special, dict) else ():
        if field_name in found:
            faults.append(f"{place}: {field_name} is named twice")
        if not isinstance(own, dict) or own.keys() - _ITEM:
            faults.append(f"{place}.special.{field_name} may hold groups, share_class and sensitivity")
            continue
        found[field_name] = _item(f"{place}.special.{field_name}", {**table, **own}, groups, faults)
    return found


_ITEM = {"groups", "share_class", "sensitivity"}


def _item(place: str, table: Mapping[str, Any], groups: Mapping[str, tuple[str, str]], faults: list[str]) -> Item:
    named = table.get("groups")
    if not _texts(named) or not named:
        faults.append(f"{place}.groups must be a list of groups")
        named = []
    faults += [f"{place}: there is no group {group}" for group in named if group not in groups]
    if table.get("share_class") not in CLASSES:
        faults.append(f"{place}.share_class must be one of {', '.join(CLASSES)}")
    if table.get("sensitivity") not in SENSITIVITIES:
        faults.append(f"{place}.sensitivity must be one of {', '.join(SENSITIVITIES)}")
    return Item(tuple(named), str(table.get("share_class", "N")), str(table.get("sensitivity", "SENSITIVE")))


def _texts(value: Any) -> bool:
    return (
        isinstance(value, list | tuple | Sequence)
        and not isinstance(value, str)
        and all(isinstance(item, str) for item in value)
    )
