"""Departments' texts made fit to be read: broken characters told, addresses, IDs and codes in one form."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from adapters.identity import normalise_id, normalise_uscc
from adapters.source import Quality

Doubts: TypeAlias = list[tuple[str, Quality]]
"""(canonical field, flag), filled by converters as they find them."""

ADDRESS_SIGNS = frozenset("省市区县镇乡街路道村巷")


def plain_text(raw: object, name: str, doubts: Doubts) -> str | None:
    """`raw` as one line of text; None where there is nothing.

    Private-use characters and U+FFFD stay and are flagged ENCODING_REPAIRED: something else stood there. A structure
    where a text should be is CODE_UNMAPPED: we hold a value that we cannot read.
    """
    if raw is None:
        return None
    if isinstance(raw, str):
        text = raw
    elif isinstance(raw, bool):
        text = "true" if raw else "false"
    elif isinstance(raw, float) and raw.is_integer() and abs(raw) < 1e15:
        text = str(int(raw))
    elif isinstance(raw, date):
        text = raw.isoformat()
    elif isinstance(raw, (Mapping, Sequence, set)):
        doubts.append((name, Quality.CODE_UNMAPPED))
        return None
    else:
        text = str(raw)
    if text.isprintable() and "\ufffd" not in text:
        return text.strip() or None
    kept, broken = _repaired(text)
    if broken:
        doubts.append((name, Quality.ENCODING_REPAIRED))
    return kept or None


def _repaired(text: str) -> tuple[str, bool]:
    broken = "\ufffd" in text
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\r\n":
            kept.append(" ")
        elif category == "Cc" or category == "Cs":
            broken = True  # NULs and the like never belonged there
        elif category != "Cf":
            broken = broken or category == "Co"
            kept.append(character)
    return "".join(kept).strip(), broken


def _clean_name(text: str, name: str, doubts: Doubts) -> str:
    # Blanks pad names in fixed-width systems ("张  三"), but stand between the words of a foreign one.
    return "".join(text.split()) if not any(c.isascii() and c.isalpha() for c in text) else " ".join(text.split())


def _clean_id(text: str, name: str, doubts: Doubts) -> str:
    number = normalise_id(text)
    if number is None:
        return text  # another kind of document; its own form is not ours to judge
    if number.was15:
        doubts.append((name, Quality.ID_15))
    if not number.checksum_ok:
        doubts.append((name, Quality.ID_CHECKSUM_BAD))
    if not number.date_ok:
        doubts.append((name, Quality.DATE_BAD))
    return number.value18


def _clean_address(text: str, name: str, doubts: Doubts) -> str:
    address = "".join(unicodedata.normalize("NFKC", text).split())
    if ADDRESS_SIGNS.isdisjoint(address):
        doubts.append((name, Quality.ADDRESS_UNPARSED))
    return address


def _clean_uscc(text: str, name: str, doubts: Doubts) -> str:
    code, right = normalise_uscc(text)
    if not right:
        doubts.append((name, Quality.ID_CHECKSUM_BAD))
    return code


CLEANERS: Mapping[str, Callable[[str, str, Doubts], str]] = {
    "name": _clean_name,
    "id": _clean_id,
    "address": _clean_address,
    "uscc": _clean_uscc,
}
