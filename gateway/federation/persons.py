"""A person of an answer: a pseudonym, and all that hangs on them."""

from __future__ import annotations

from typing import Any

from gateway.federation.links import Links
from gateway.federation.met import Met
from schema.wiring import LINKS


class Person(Links):
    """Its own links: nothing of a person stands in an answer but the pseudonym, made for whoever reads it."""

    __slots__ = ("_met",)

    subject: str

    def __init__(self, subject: str, id_no: str, name: str, met: Met) -> None:
        """`id_no` in its 18-character form and `name` as given, neither of them empty."""
        self.subject = subject
        self.values = {"idNo": id_no, "name": name}
        self.person_key = (id_no, name)
        self._met = met

    @property
    def pid(self) -> str:
        return self._met.pid(self.subject)

    @property
    def links(self) -> Links:
        return self

    def get(self, name: str) -> Any:
        """A field as GraphQL names it, or a key value."""
        return self.pid if name == "pid" else self.values.get(name)

    def __getitem__(self, name: str) -> Any:
        return self if name == LINKS else self.get(name)
