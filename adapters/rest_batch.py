"""Many keys in one request: which are sent, and which record of the answer belongs to which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.errors import Reason
from adapters.identity import fold_name, id_forms, normalise_id
from adapters.records import Record, walk
from adapters.rest_answer import Records
from adapters.rest_request import RestRequest
from adapters.source import Answer, Failed, Key, Lookup
from adapters.templates import KeyPartMissing

_DOCUMENT = re.compile(
    r"(?!\d+\Z)[A-Z0-9()]{5,32}", re.ASCII
)  # a passport or permit; digits alone would be an ID number


@dataclass(frozen=True, slots=True)
class Asked:
    """The distinct keys that can be sent, and the answers of those that can not."""

    lookup: Lookup
    keys: tuple[Key, ...]
    unsendable: Mapping[Key, Answer]

    @classmethod
    def of(cls, request: RestRequest, lookup: Lookup) -> Asked:
        distinct = tuple(dict.fromkeys(lookup.keys))
        if request.writer is None or request.writer.all_sendable(distinct):
            return cls(lookup, distinct, {})
        keys: list[Key] = []
        unsendable: dict[Key, Answer] = {}
        for key in distinct:
            try:
                request.writer.template.render((key,))
                keys.append(key)
            except KeyPartMissing as missing:
                unsendable[key] = Failed(Reason.KEY_MISSING, detail=str(missing))
        return cls(lookup, tuple(keys), unsendable)

    def answers(self, found: Mapping[Key, Answer]) -> Sequence[Answer]:
        """One answer a key, in the order of the lookup."""
        if not self.unsendable:
            return [found[key] for key in self.lookup.keys]
        return [self.unsendable[key] if key in self.unsendable else found[key] for key in self.lookup.keys]


def sort_into_keys(
    request: RestRequest, keys: Sequence[Key], by: tuple[str, ...], got: Records
) -> Mapping[Key, Sequence[Record]] | Failed:
    """The records of each asked key, none for a key the answer does not mention; others' records are dropped.

    A record that does not say whose it is, or with stars or lost digits, would leave its owner with an absence that is
    none: GARBAGE for all.
    """
    found_at_once = _as_sent(request, keys, by, got)
    if found_at_once is not None:
        return found_at_once
    positions = [(position, request.key_echo[name]) for position, name in enumerate(by) if name in request.key_echo]
    places = [position for position, _ in positions]
    owners = _owners(keys, by, places, all_forms=False)
    rare = False  # whether `owners` knows the rarer forms too; most departments repeat a key as it was sent
    found: dict[Key, list[Record]] = {key: [] for key in keys}
    for record in got.records:
        echo = []
        for position, raw in positions:
            value = record[raw] if raw in record else walk(record, raw)
            if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
                return Failed(Reason.GARBAGE, detail="a record does not repeat the key it answers")
            echo.append(_folded(by[position], str(value)))
        if not rare and tuple(echo) not in owners:
            owners, rare = _owners(keys, by, places, all_forms=True), True
        owned = owners.get(tuple(echo))
        if owned is None and not all(_is_somebody(by[p], said) for (p, _), said in zip(positions, echo, strict=True)):
            return Failed(Reason.GARBAGE, detail="a record repeats a key that cannot be read")
        for key in owned or ():
            found[key].append(record)
    return found


def _as_sent(
    request: RestRequest, keys: Sequence[Key], by: tuple[str, ...], got: Records
) -> Mapping[Key, Sequence[Record]] | None:
    """The common answer: distinct 18-character ID numbers, and each record repeats one of them letter by letter.

    None where anything is otherwise; then the long way decides.
    """
    echo = request.key_echo
    if len(echo) != 1 or "idNo" not in echo:
        return None
    raw, position = echo["idNo"], by.index("idNo")
    numbers = [key[position] or "" for key in keys]
    joined = "".join(numbers)
    if set(map(len, numbers)) != {18} or not joined.isascii() or not joined.isalnum() or joined.upper() != joined:
        return None  # blanks, small letters or another length: two keys could mean one person
    found: dict[str, list[Record]] = {number: [] for number in numbers}
    if len(found) != len(keys):
        return None
    try:
        for record in got.records:
            found[record[raw]].append(record)
    except (KeyError, TypeError):
        return None
    return dict(zip(keys, found.values(), strict=True))


def _owners(
    keys: Sequence[Key], by: tuple[str, ...], positions: Sequence[int], *, all_forms: bool
) -> dict[tuple[str, ...], list[Key]]:
    """Which keys a department means by what it repeats: a person's ID as sent or, with `all_forms`, as the 15 digits.

    Where an ID is not sent in its 18 characters, one key's form may be another's rarer one: all forms from the start.
    """
    all_forms = all_forms or any(by[p] == "idNo" and len(key[p] or "") != 18 for key in keys for p in positions)
    owners: dict[tuple[str, ...], list[Key]] = {}
    for key in keys:
        ways: list[tuple[str, ...]] = [()]
        for position in positions:
            part = key[position] or ""
            forms = id_forms(part) if all_forms and by[position] == "idNo" else (part,)
            ways = [(*way, form) for way in ways for form in dict.fromkeys(_folded(by[position], f) for f in forms)]
        for way in ways:
            owners.setdefault(way, []).append(key)
    return owners


def _is_somebody(name: str, said: str) -> bool:
    """Whether `said`, which nobody asked for, is surely another person's: an ID number that can be one."""
    if name != "idNo":
        return True
    number = normalise_id(said)
    return number.checksum_ok if number is not None else _DOCUMENT.fullmatch(said) is not None


def _folded(name: str, value: str) -> str:
    return fold_name(value) if name == "name" else value.strip().upper()
