"""Whether a row is about the person asked for: surely, perhaps, or not at all (domain-brief, section 4b)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from adapters.dates import read_date
from adapters.identity import IdNumber, fold_name, is_readable, mask_name, normalise_id
from adapters.source import Key, Match, Quality

_OTHER_DOCUMENT = re.compile(r"[A-Z0-9()]{5,32}", re.ASCII)  # passports and permits, compared as they are written


@dataclass(frozen=True, slots=True)
class Asked:
    """One key, prepared once for all rows that may answer it. Shows nothing of the person in a `repr`."""

    id_text: str  # normalised; "" where the asker does not know it
    number: IdNumber | None  # None for other documents
    name: str | None
    folded: str
    readable: bool
    certain: bool  # a row that carries id_text and name letter by letter needs no further thought

    def __repr__(self) -> str:
        return "Asked()"

    @classmethod
    def of(cls, by: tuple[str, ...], key: Key, number: IdNumber | None = None) -> Asked:
        """`number` is the key's own ID number where the caller has read it already."""
        parts = dict(zip(by, key, strict=True))
        id_no, name = parts.get("idNo"), parts.get("name")
        number = number or normalise_id(id_no)
        id_text = number.value18 if number else _document(id_no)
        folded = fold_name(name) if name else ""
        readable = is_readable(folded)
        certain = number is not None and number.checksum_ok and number.date_ok and readable
        return cls(id_text, number, name, folded, readable, certain)


@dataclass(frozen=True, slots=True)
class Verdict:
    """AUTO or REVIEW, with the doubts about ID and name that led there and, for REVIEW, the masked name."""

    match: Match
    id_doubts: tuple[Quality, ...] = ()
    name_doubts: tuple[Quality, ...] = ()
    hint: str = ""


SURE = Verdict(Match.AUTO)


class Unmatchable(Exception):
    """A row that should name its person and names nobody: neither ours nor surely someone else's."""


def judge(raw_id: object, raw_name: object, raw_birth: object, asked: Asked, *, has_name: bool) -> Verdict | None:
    """The verdict on one row; None means someone else (a co-defendant, a homonym), whose row is dropped.

    `has_name` says whether the source states names at all; a part it never states is not missed.
    Raises Unmatchable for a row without any sign of whom it is about.
    """
    if raw_id == asked.id_text and raw_name == asked.name and asked.certain:
        return SURE
    id_text, row_number = _row_id(raw_id, asked)
    name = raw_name if isinstance(raw_name, str) else ""
    folded = fold_name(name)
    id_doubts = _id_doubts(row_number)
    if id_text and asked.id_text:
        if id_text != asked.id_text:
            # A number that cannot be anyone's is a slip of the pen, and under our person's name perhaps of hers.
            slipped = row_number is not None and not row_number.checksum_ok
            if slipped and has_name and asked.readable and folded == asked.folded:
                return Verdict(Match.REVIEW, id_doubts, _name_doubts(folded), mask_name(name))
            return None
        return _same_id(name, folded, asked, id_doubts, has_name)
    return _without_id(id_text, name, folded, raw_birth, asked)


def _same_id(name: str, folded: str, asked: Asked, id_doubts: tuple[Quality, ...], has_name: bool) -> Verdict:
    if asked.name is None or not has_name:
        return Verdict(Match.AUTO, id_doubts)
    if folded == asked.folded and asked.readable:
        variant = (Quality.NAME_VARIANT,) if name != asked.name else ()
        return Verdict(Match.AUTO, id_doubts, variant)
    return Verdict(Match.REVIEW, id_doubts, _name_doubts(folded), mask_name(name))


def _without_id(id_text: str, name: str, folded: str, raw_birth: object, asked: Asked) -> Verdict | None:
    """One side lacks the ID: a name alone never links, it can only ask a human to look."""
    born, asked_born = _born(raw_birth), asked.number.birth_date if asked.number else None
    if born is not None and asked_born is not None and born != asked_born:
        return None
    if not folded and not id_text:
        if born is None:
            raise Unmatchable
        return Verdict(Match.REVIEW)
    # "李?" may be 李䶮; to drop it would call a person unknown whose name the source cannot write.
    perhaps = asked.name is None or folded == asked.folded or not is_readable(folded) or not asked.readable
    return Verdict(Match.REVIEW, (), _name_doubts(folded), mask_name(name)) if perhaps else None


def _row_id(raw_id: object, asked: Asked) -> tuple[str, IdNumber | None]:
    """The row's ID, comparable with the asked one; "" where it has none, or a document of another kind."""
    text = raw_id if isinstance(raw_id, str) else str(raw_id) if type(raw_id) is int else None
    number = normalise_id(text)
    if number is not None:
        return (number.value18 if asked.number or not asked.id_text else ""), number
    return ("" if asked.number else _document(text)), None


def _document(text: str | None) -> str:
    if not text or len(text) > 64:
        return ""
    compact = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    return compact if _OTHER_DOCUMENT.fullmatch(compact) else ""


def _id_doubts(number: IdNumber | None) -> tuple[Quality, ...]:
    if number is None:
        return ()
    doubts = {
        Quality.ID_15: number.was15,
        Quality.ID_CHECKSUM_BAD: not number.checksum_ok,
        Quality.DATE_BAD: not number.date_ok,
    }
    return tuple(doubt for doubt, holds in doubts.items() if holds)


def _name_doubts(folded: str) -> tuple[Quality, ...]:
    return (Quality.ENCODING_REPAIRED,) if folded and not is_readable(folded) else ()


def _born(raw: object) -> date | None:
    if isinstance(raw, date):
        return raw.date() if isinstance(raw, datetime) else raw
    if not isinstance(raw, str):
        return None
    day, doubt = read_date(raw)
    return None if doubt else day
