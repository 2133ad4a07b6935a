"""The one error base of this floor."""

from __future__ import annotations


class SchemaError(Exception):
    """Base of every error this floor raises."""


class BadInput(SchemaError):
    """An argument cannot be used. `code` is stable and goes to `extensions.code`; no value is ever repeated."""

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class NounConflict(SchemaError):
    """Two nouns, or a noun and a built-in type, want the same name."""
