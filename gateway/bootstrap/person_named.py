"""A person as an operator names one on a command line: by ID number, and best on standard input, where nobody else reads it."""

from __future__ import annotations

import getpass
import sys

from adapters.identity import normalise_id
from gateway.errors import RequestRefused
from gateway.store import Store

STDIN = "-"


def typed_id_no(given: str = STDIN) -> str:
    """What was given, or, for `-`, what is typed: arguments can be seen by others and are remembered by shells."""
    if given != STDIN:
        return given
    return getpass.getpass("证件号码 ID number: ") if sys.stdin.isatty() else sys.stdin.readline()


def certain_id_no(text: str) -> str | None:
    """18 characters; None for what cannot be anybody's number."""
    number = normalise_id(text.strip())
    return number.value18 if number is not None and number.checksum_ok and number.date_ok else None


async def subject_of(store: Store, text: str) -> str:
    """Subject id, known or not: nobody is made by being named. Raises RequestRefused ID_NO_INVALID, StoreUnavailable."""
    number = certain_id_no(text)
    if number is None:
        raise RequestRefused("ID_NO_INVALID", "not an ID number")
    (subject_id,) = await store.subjects.recognise([number])
    return subject_id
