"""What must hold between manifests, and between them and the nouns there are. Each rule adds faults and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from adapters.manifest import AnswerSpec, FieldDecl, FieldMapping, LinkDecl, NounDecl, SourceManifest
from adapters.manifest_answers import code_faults
from adapters.manifest_form import did_you_mean, shown
from adapters.toml_lines import Path

KnownNouns: TypeAlias = Mapping[str, Mapping[str, frozenset[str] | None]]
"""noun -> field -> the names of its enum (None for a field that is no enum)."""

PERSON_KEYS = frozenset({"idNo", "name"})
_PERSON = "person"

# What each declared type can be made from (adapters/values.py says what each mapping type gives).
_FITS: Mapping[str, frozenset[str]] = {
    "String": frozenset({"text", "code", "month"}),
    "Int": frozenset({"int"}),
    "Float": frozenset({"float", "int"}),
    "Boolean": frozenset({"bool"}),
    "Date": frozenset({"date"}),
    "DateTime": frozenset({"datetime"}),
}

FileFault: TypeAlias = tuple[str, Path, str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file's manifest, with the places of its answers and nouns in the TOML."""

    file: str
    manifest: SourceManifest
    answers: tuple[tuple[Path, AnswerSpec], ...]
    nouns: tuple[tuple[Path, NounDecl], ...]


def broken_rules(all_loaded: Sequence[Loaded], known: KnownNouns) -> Iterator[FileFault]:
    """Every fault that shows only when the files stand side by side, or beside `known`."""
    nouns = _Nouns(all_loaded, known)
    yield from _same_code(all_loaded)
    yield from nouns.declared_twice()
    for loaded in all_loaded:
        yield from _answers_twice(loaded)
        for path, answer in loaded.answers:
            yield from nouns.answer_faults(loaded.file, path, answer)
            yield from _nobody_named(loaded, path, answer)
        for path, noun in loaded.nouns:
            yield from nouns.link_faults(loaded.file, path, noun)
            yield from nouns.key_faults(loaded.file, path, noun)
    yield from _equal_ranks(all_loaded)


class _Nouns:
    """All nouns: the built-in ones and the declared ones, with what they are made of."""

    def __init__(self, all_loaded: Sequence[Loaded], known: KnownNouns) -> None:
        self._known, self._all = known, all_loaded
        self._declared: dict[str, NounDecl] = {}
        for loaded in all_loaded:
            for _, noun in loaded.nouns:
                self._declared.setdefault(noun.name, noun)
        self._names = {*known, *self._declared} - {""}
        self._key_names = set(PERSON_KEYS)
        for fields in known.values():
            self._key_names.update(fields)
        for noun in self._declared.values():
            self._key_names |= self._keys_of(noun.name)

    def declared_twice(self) -> Iterator[FileFault]:
        names: dict[str, str] = {}
        types = {name[:1].upper() + name[1:]: f"the built-in noun {name}" for name in self._known}
        links: dict[tuple[str, str], str] = {(_PERSON, name): "a built-in noun" for name in self._known}
        for loaded in self._all:
            for path, noun in loaded.nouns:
                if noun.name in self._known or noun.name == _PERSON:
                    yield loaded.file, (*path, "name"), f"{noun.name} is a built-in noun and cannot be declared again"
                elif noun.name and noun.name in names:
                    message = f"noun {noun.name} has two owners: {names[noun.name]} declares it too"
                    yield loaded.file, (*path, "name"), message
                names.setdefault(noun.name, loaded.file)
                if noun.type_name and noun.type_name in types:
                    yield loaded.file, (*path, "type"), f"type {noun.type_name} is taken by {types[noun.type_name]}"
                types.setdefault(noun.type_name, loaded.file)
                for number, link in enumerate(noun.links):
                    if link.name and (link.on, link.name) in links:
                        message = f"{link.on}.{link.name} is taken by {links[link.on, link.name]}"
                        yield loaded.file, (*path, "links", number, "name"), message
                    links.setdefault((link.on, link.name), loaded.file)

    def answer_faults(self, file: str, path: Path, answer: AnswerSpec) -> Iterator[FileFault]:
        if not answer.noun:
            return
        if answer.noun not in self._names:
            yield file, (*path, "noun"), f"unknown noun {shown(answer.noun)}{did_you_mean(answer.noun, self._names)}"
            return
        keys = self._keys_of(answer.noun)
        for number, name in enumerate(answer.by):
            if name not in keys:
                yield file, (*path, "by", number), f"{answer.noun} has no key {shown(name)}{did_you_mean(name, keys)}"
        for name in answer.links:
            if name not in self._key_names:
                message = f"no noun has a key {shown(name)}{did_you_mean(name, self._key_names)}"
                yield file, (*path, "links", name), message
        for mapping in answer.fields:
            for rest, message in self._field_faults(answer.noun, mapping):
                yield file, (*path, "fields", mapping.name, *rest), message

    def link_faults(self, file: str, path: Path, noun: NounDecl) -> Iterator[FileFault]:
        for number, link in enumerate(noun.links):
            place = (*path, "links", number)
            if link.on and link.on not in self._names | {_PERSON}:
                message = f"unknown noun {shown(link.on)}{did_you_mean(link.on, self._names | {_PERSON})}"
                yield file, (*place, "on"), message
                continue
            yield from self._link_keys(file, place, noun, link)

    def key_faults(self, file: str, path: Path, noun: NounDecl) -> Iterator[FileFault]:
        """A root field that takes a key set needs an answer behind it."""
        fields = {field.name for field in noun.fields} | PERSON_KEYS
        for number, names in enumerate(noun.keys):
            place = (*path, "keys", number)
            unknown = [name for name in names if name not in fields]
            for name in unknown:
                yield file, place, f"key {shown(name)} is no field of {noun.name}{did_you_mean(name, fields)}"
            if not unknown and names not in self._answered(noun):
                yield file, place, f"no source answers {noun.name} by {', '.join(names)}"

    def _answered(self, noun: NounDecl) -> set[tuple[str, ...]]:
        return {answer.by for loaded in self._all for _, answer in loaded.answers if answer.noun == noun.name}

    def _link_keys(self, file: str, place: Path, noun: NounDecl, link: LinkDecl) -> Iterator[FileFault]:
        offered = self._links_of(link.on)
        for number, name in enumerate(link.by):
            if name not in offered:
                hint = did_you_mean(name, offered) or "; no answer of it has such a link"
                yield file, (*place, "by", number), f"{link.on} has no link {shown(name)}{hint}"
        if link.by and link.by not in self._answered(noun):
            yield file, (*place, "by"), f"no source answers {noun.name} by {', '.join(link.by)}"

    def _field_faults(self, noun: str, mapping: FieldMapping) -> Iterator[tuple[Path, str]]:
        declared = self._declared.get(noun) if noun not in self._known else None
        if declared is not None:
            field = next((one for one in declared.fields if one.name == mapping.name), None)
            if field is None:
                names = [one.name for one in declared.fields]
                yield (), f"{noun} has no field {shown(mapping.name)}{did_you_mean(mapping.name, names)}"
            else:
                yield from _type_faults(field, mapping)
            return
        fields = self._known[noun]
        if mapping.name not in fields:
            yield (), f"{noun} has no field {shown(mapping.name)}{did_you_mean(mapping.name, fields)}"
            return
        enum = fields[mapping.name]
        if enum is not None:
            if mapping.type not in ("", "code", "list"):
                yield (), f'{mapping.name} is a code: it needs type = "code" and codes = {{ raw = "NAME" }}'
            for raw, message in code_faults(mapping, enum).items():
                yield ("codes", raw), message

    def _keys_of(self, noun: str) -> set[str]:
        """Names `noun` may be asked by."""
        if noun in self._known:
            return {*PERSON_KEYS, *self._known[noun]}
        declared = self._declared[noun]
        names = {name for key in declared.keys for name in key} | {name for link in declared.links for name in link.by}
        return names | {field.name for field in declared.fields} | PERSON_KEYS

    def _links_of(self, noun: str) -> set[str]:
        if noun == _PERSON:
            return set(PERSON_KEYS)
        return {
            name for loaded in self._all for _, answer in loaded.answers if answer.noun == noun for name in answer.links
        }


def _type_faults(field: FieldDecl, mapping: FieldMapping) -> Iterator[tuple[Path, str]]:
    if not field.type or not mapping.type:
        return  # no such type, which is told where it stands
    if field.is_list != (mapping.type == "list"):
        rule = 'is a list: it needs type = "list"' if field.is_list else "is no list"
        yield ("type",), f"{field.name} {rule}"
    elif field.is_list and field.type != "String":
        yield ("type",), f"{field.name}: only lists of String can be mapped"
    elif not field.is_list and mapping.type not in _FITS[field.type]:
        wanted = " or ".join(f'"{name}"' for name in sorted(_FITS[field.type]))
        yield ("type",), f'{field.name} is declared {field.type}; type "{mapping.type}" must be {wanted}'


def _nobody_named(loaded: Loaded, path: Path, answer: AnswerSpec) -> Iterator[FileFault]:
    """Asked by a person, a row must say whose it is, or whatever the department sends is taken for that person's."""
    if answer.subject is not None or not PERSON_KEYS.intersection(answer.by):
        return
    if loaded.manifest.kind == "graphql" and "state" in answer.request:
        return  # another yimen: it has matched the person itself, and `state` says what came of it
    yield (
        loaded.file,
        (*path, "by"),
        f"{answer.noun} is asked by {', '.join(answer.by)} but has no subject, so any row would pass for the person's; "
        'add subject = { id_no = "...", name = "..." } with the department\'s own fields',
    )


def _same_code(all_loaded: Sequence[Loaded]) -> Iterator[FileFault]:
    seen: dict[str, str] = {}
    for loaded in all_loaded:
        code = loaded.manifest.code
        if code and code in seen:
            yield loaded.file, ("source", "code"), f"code {code} is taken by {seen[code]}"
        seen.setdefault(code, loaded.file)


def _answers_twice(loaded: Loaded) -> Iterator[FileFault]:
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for path, answer in loaded.answers:
        slot = (answer.noun, answer.by)
        if answer.noun and answer.by and slot in seen:
            yield loaded.file, (*path, "noun"), f"{answer.noun} by {', '.join(answer.by)} is answered twice here"
        seen.add(slot)


def _equal_ranks(all_loaded: Sequence[Loaded]) -> Iterator[FileFault]:
    """Two sources of one field need an order: where they differ, one of them must be believed first."""
    seen: dict[tuple[str, str, int], Loaded] = {}
    for loaded in all_loaded:
        told: set[tuple[str, str, int]] = set()
        for path, answer in loaded.answers:
            for mapping in answer.fields:
                rank = answer.rank if mapping.rank is None else mapping.rank
                slot = (answer.noun, mapping.name, rank)
                first = seen.setdefault(slot, loaded)
                if first is loaded or slot in told or not answer.noun:
                    continue
                told.add(slot)
                message = f"{answer.noun}.{mapping.name} has rank {rank} here and in {first.file}; the smaller wins, so give them different ones"
                own = ("fields", mapping.name, "rank") if mapping.rank is not None else ("rank",)
                if own == ("rank",) and (answer.noun, "", rank) in told:
                    continue  # one fault for the answer's rank is enough, however many fields share it
                if own == ("rank",):
                    told.add((answer.noun, "", rank))
                yield loaded.file, (*path, *own), message
