"""A person of an answer: a pseudonym, and all that hangs on them."""

from __future__ import annotations

from typing import Any

from gateway.federation.links import Links
from gateway.federation.met import Met
from schema.nouns import PERSON_KEY
from schema.wiring import LINKS


class Person(Links):
    """Its own links: nothing of a person stands in an answer but the pseudonym, made for whoever reads it."""

    __slots__ = ("_met",)

    subject: str
    person_key: tuple[str, str]

    def __init__(self, subject: str, key: tuple[str, str], met: Met) -> None:
        """`key`: the ID number in its 18-character form and the name as given, neither of them empty."""
        self.subject, self.person_key, self._met = subject, key, met

    @property
    def pid(self) -> str:
        return self._met.pid(self.subject)

    @property
    def links(self) -> Links:
        return self

    def get(self, name: str) -> Any:
        """A field as GraphQL names it, or a key value."""
        if name == "pid":
            return self.pid
        return dict(zip(PERSON_KEY, self.person_key, strict=True)).get(name)

    def __getitem__(self, name: str) -> Any:
        return self if name == LINKS else self.get(name)
