"""Whom a record is about: ID numbers, unified social credit codes and the folding of names."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from operator import attrgetter, mul
from typing import Any

from stdnum.cn import uscc as _uscc
from stdnum.iso7064 import mod_11_2

_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)
_FIFTEEN = re.compile(r"[0-9]{15}", re.ASCII)
_LONGEST_ID = 64  # characters as typed, spaces and all; beyond it nothing is an ID and no work is done


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A resident ID number in its 18-character form. It shows nothing of itself in a `repr`."""

    value18: str
    was15: bool = False
    checksum_ok: bool = True
    date_ok: bool = True

    def __repr__(self) -> str:
        return f"IdNumber({mask_id(self.value18)})"

    @property
    def birth_date(self) -> date | None:
        """The civil date the number states; None where that day does not exist."""
        return _birth_date(self.value18)


def normalise_id(text: str | None) -> IdNumber | None:
    """The ID number `text` states, or None where it has no such form (whatever the check digit says).

    Full-width characters, spaces and a lower-case x are folded. A 15-digit number of before 1999 becomes 18 by "19"
    and a check digit. The county code is not judged: a number keeps the county of its first registration, which may
    since have been renamed, or not have existed in the year of birth (Chancheng exists since 2002).

    Source: GB 11643-1999; check digit ISO 7064 MOD 11-2.
    """
    if text is None or len(text) > _LONGEST_ID:
        return None
    return _read_id(text)


def are_sure_ids(texts: Sequence[str | None]) -> bool:
    """Whether each is an ID number in its 18 characters, upper case, with the right check digit and a day that exists."""
    try:
        if set(map(len, texts)) != {18}:  # type: ignore[arg-type]  # None raises
            return False
        read = list(map(_read_id, texts))
        return set(map(_doubtless, read)) == {(True, True)} and tuple(map(_value18, read)) == tuple(texts)
    except (TypeError, AttributeError):  # None among them, or one that is no number
        return False


_doubtless, _value18 = attrgetter("checksum_ok", "date_ok"), attrgetter("value18")
_WEIGHTS = tuple(2 ** (17 - place) % 11 for place in range(17))  # GB 11643, annex; each digit's share of the sum
_ZEROS = 48 * sum(_WEIGHTS)  # what the digits' own codes ("0" is 48) add to it
_CHECK = "10X98765432"  # the check digit for each sum modulo 11


# One question reads the same few numbers from its arguments, its keys and each source's rows. The memory is as short as
# that: a few hundred numbers, of the questions just answered, in a process that holds them anyway while it answers.
@lru_cache(maxsize=512)
def _read_id(text: str) -> IdNumber | None:
    if len(text) == 18 and text.isascii() and (seventeen := text[:17]).isdigit() and text[17] in "0123456789X":
        # As nearly every number comes: nothing to fold, and the sum is arithmetic over its bytes.
        right = _CHECK[(sum(map(mul, seventeen.encode(), _WEIGHTS)) - _ZEROS) % 11] == text[17]
        return IdNumber(text, False, right, _birth_date(text) is not None)
    # NFKC leaves ASCII as it is, and nearly every number comes as plain ASCII.
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    folded = "".join(plain.split()).upper()
    if _EIGHTEEN.fullmatch(folded):
        return IdNumber(folded, False, mod_11_2.is_valid(folded), _birth_date(folded) is not None)
    if _FIFTEEN.fullmatch(folded):
        seventeen = folded[:6] + "19" + folded[6:]
        whole = seventeen + mod_11_2.calc_check_digit(seventeen)
        return IdNumber(whole, True, True, _birth_date(whole) is not None)
    return None


def id_forms(id_no: str) -> tuple[str, ...]:
    """Every way a department may have stored the 18-character `id_no`, itself first.

    For kinds that compare IDs on their own, say by an IN list: with X in lower case, and as the 15 digits of old.
    """
    forms = [id_no]
    if id_no.endswith("X"):
        forms.append(id_no[:-1] + "x")
    # Without its right check digit a number cannot have come from 15 digits.
    if _EIGHTEEN.fullmatch(id_no) and id_no[6:8] == "19" and mod_11_2.is_valid(id_no):
        forms.append(id_no[:6] + id_no[8:17])
    return tuple(forms)


def _birth_date(id_no: str) -> date | None:
    try:
        born = date(int(id_no[6:10]), int(id_no[10:12]), int(id_no[12:14]))
    except ValueError:
        return None
    return born if 1850 <= born.year <= 2150 else None


def normalise_uscc(text: str) -> tuple[str, bool]:
    """A unified social credit code in its compact form, and whether form and check character are right.

    Source: GB 32100-2015.
    """
    compact, right = _judged_uscc(text[:_LONGEST_ID])
    return compact, right and len(text) <= _LONGEST_ID


@lru_cache(maxsize=4096)  # few employers stand in many records; a code names an organisation, never a person
def _judged_uscc(text: str) -> tuple[str, bool]:
    compact = _uscc.compact(unicodedata.normalize("NFKC", text))
    return compact, _uscc.is_valid(compact)


_DOTS = "\u00b7\u2022\u2027\u2219\u22c5\u30fb\u25cf\u16eb\u2e31.\u3002"
_DOT = "\u00b7"
_UNREADABLE = frozenset("?*\ufffd\u25a1\u3013\u25a0")  # what systems write where they lack a character: ? * □ 〓 ■
_SIMPLIFIED_CAP = 30_000


@cache
def _converter() -> Any:
    # Imported at the first traditional name: a C++ library with its tables, of no use to a gateway that serves none.
    import opencc

    return opencc.OpenCC("t2s")


_FOLDED_ALL_THE_SAME = frozenset("乾吒夥後徵拚捱摺於榘菸薹袷醣麴麽")
"""Characters of GB/T 2312 that OpenCC takes for traditional ones. All others there stand for themselves, so that names of the
usual characters need no table."""


def _simplified(character: str) -> str:
    if character not in _FOLDED_ALL_THE_SAME:
        with contextlib.suppress(UnicodeEncodeError):
            character.encode("gb2312")
            return character
    return str(_converter().convert(character))


class _Folding(dict[int, str]):
    """str.translate table: character by character, so that folding never depends on the neighbours of a character.

    OpenCC's phrases would fold 乾 differently in 乾坤 and alone; two spellings of one name must fold alike always.
    """

    def __init__(self, *, keep_case: bool) -> None:
        super().__init__()
        self._keep_case = keep_case

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp", "Cc", "Cf", "Mn") and character not in _UNREADABLE:
            folded = ""  # blanks, invisible marks and variation selectors say nothing about who someone is
        elif character in _DOTS:
            folded = _DOT
        elif code >= 0x2E80 and category == "Lo":
            folded = _simplified(character)
        else:
            folded = character if self._keep_case else character.casefold()
        if len(self) < _SIMPLIFIED_CAP:
            self[code] = folded
        return folded


_FOLDING = _Folding(keep_case=False)
_STANDARD = _Folding(keep_case=True)
# Characters of the main block (U+4E00 to U+9FFF) that were seen to stand for themselves in a standard name. A text of
# such characters alone is its own NFKC form, standard, folded and readable. Characters, never names.
_PLAIN: set[str] = set()
_MAIN_BLOCK = re.compile("[\u4e00-\u9fff]+")


def is_plain_name(text: str) -> bool:
    """Whether `text` is a name of simplified characters only: its own standard and folded form, and readable.

    True is certain; False only says that the long way must be gone.
    """
    if _PLAIN.issuperset(text):
        return bool(text)
    if _MAIN_BLOCK.fullmatch(text) and text.translate(_STANDARD) == text:
        _PLAIN.update(text)
        return True
    return False


def fold_name(text: str) -> str:
    """The form in which two spellings of a name are compared: NFKC, one dot, no blanks, simplified, lower case."""
    return unicodedata.normalize("NFKC", text).translate(_FOLDING)


def standard_name(text: str) -> str:
    """The spelling to ask a department with: NFKC, U+00B7 for every dot, no blanks, simplified; case as it is.

    Some departments compare names to the letter, and "查无此人" for a mere variant would read like an absence.
    """
    return unicodedata.normalize("NFKC", text).translate(_STANDARD)


def is_readable(folded: str) -> bool:
    """Whether a folded name may match by itself: not empty, and every character of it is really there.

    GBK systems write "?" or a private-use code for 䶮 and its like; "李?" is not a name, it is many.
    """
    return bool(folded) and not any(c in _UNREADABLE or unicodedata.category(c) in ("Co", "Cn", "Cs") for c in folded)


def mask_name(name: str) -> str:
    """The family character and stars: "张*". A single character is hidden whole; no more than three stars."""
    bare = name.strip()
    if len(bare) < 2:
        return "*" if bare else ""
    return bare[0] + "*" * min(len(bare) - 1, 3)


def mask_id(id_no: str) -> str:
    """First three and last two characters; anything shorter than an old ID is hidden whole."""
    return id_no[:3] + "*" * (len(id_no) - 5) + id_no[-2:] if 15 <= len(id_no) <= 18 else "*" * min(len(id_no), 18)
