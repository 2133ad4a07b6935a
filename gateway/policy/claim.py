"""What an operation claims to be for, fit to be recorded for good: a case number and a reference name papers, not people.

The record of an access is kept for years and shown to auditors. An ID number typed into it would lie there in the clear.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from gateway.policy.decision import Purpose
from gateway.policy.purposes import PurposeRegister

UNKNOWN = "UNKNOWN"
"""Stands for a code that is in no register: that could be any text, and refusals are recorded, too."""

_LONGEST = 200
_SEPARATORS = re.compile(r"[\W_]+")  # whatever is neither letter nor digit
# 18 digits with a birth date within, the last perhaps an X; or the 15 of old.
_ID_NUMBER = re.compile(
    r"[1-9][0-9]{5}(?:(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"|[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}(?![0-9Xx]))"
)


def claimed(said: Mapping[str, Any], register: PurposeRegister) -> Purpose | None:
    """The purpose `@purpose` states; None where its case number or reference must not be recorded."""
    code = said["code"] if register.get(said["code"]) is not None else UNKNOWN
    purpose = Purpose(code, said.get("caseNo"), said.get("reference"))
    fit = all(text is None or _fit(text) for text in (purpose.case_no, purpose.reference))
    return purpose if fit else None


def recordable(text: str) -> bool:
    """Whether a number or reference may be recorded as it stands: one line, nothing unseen in it, nobody's ID number."""
    return _fit(text)


_BRACKETS = str.maketrans("〔[【〕]】", "((()))")


def folded(case_no: str) -> str:
    """One spelling of a case number, whatever brackets, widths, blanks and unseen marks a court, a clerk or a keyboard
    put in."""
    text = "".join(unicodedata.normalize("NFKC", case_no).translate(_BRACKETS).split())
    return text if text.isprintable() else "".join(one for one in text if one.isprintable())


def _fit(text: str) -> bool:
    if len(text) > _LONGEST:
        return False
    plain = unicodedata.normalize("NFKC", text)  # its blanks are plain ones, the only ones that are printable
    return plain.isprintable() and _ID_NUMBER.search(_SEPARATORS.sub("", plain)) is None
