"""What other nouns hang on: the canonical key values of a person or a record, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.source import Key
from schema.nouns import PERSON_KEY


class Links:
    """Never shown to a reader: it only says by which keys, and under whose mask, the next nouns are asked for."""

    __slots__ = ("person_key", "subject", "values")

    def __init__(self, subject: str | None, values: Mapping[str, str | None]) -> None:
        """`subject` is None where a row does not say whose it is."""
        self.subject = subject
        self.values = values
        id_no, name = values.get("idNo"), values.get("name")
        self.person_key: Key | None = (id_no, name) if id_no and name else None

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def key(self, by: tuple[str, ...]) -> Key | None:
        """The values of `by` in order; None where one of them is not known, for then nobody can be asked."""
        if by == PERSON_KEY:
            return self.person_key
        key = tuple(map(self.values.get, by))
        return key if all(key) else None
