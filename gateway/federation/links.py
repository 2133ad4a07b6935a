"""What other nouns hang on: the canonical key values of a person or a record, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.source import Key


class Links:
    """Never shown to a reader: it only says by which keys, and under whose mask, the next nouns are asked for."""

    __slots__ = ("person_key", "subject")

    subject: str | None  # None where a row does not say whose it is
    person_key: Key | None  # idNo and name; None where one of them is not known

    def get(self, name: str) -> str | None:
        raise NotImplementedError

    def key(self, by: tuple[str, ...]) -> Key | None:
        """The values of `by` in order; None where one of them is not known, for then nobody can be asked."""
        key = tuple(map(self.get, by))
        return key if all(key) else None


class RowLinks(Links):
    """Those that a row names, or an argument of the root."""

    __slots__ = ("values",)

    def __init__(self, subject: str | None, values: Mapping[str, str | None]) -> None:
        self.subject = subject
        self.values = values
        id_no, name = values.get("idNo"), values.get("name")
        self.person_key = (id_no, name) if id_no and name else None

    def get(self, name: str) -> str | None:
        return self.values.get(name)
