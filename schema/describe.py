"""One way to write a description: Chinese first, English beside it."""

from __future__ import annotations

from typing import Any

import strawberry


def both(zh: str, en: str) -> str:
    """The text a reader sees in the schema browser."""
    return f"{zh} · {en}"


def fact(zh: str, en: str) -> Any:
    """A field that a source fills. It is nullable unless it is an envelope, a state or an opaque id."""
    return strawberry.field(description=both(zh, en))


def value(name: str, zh: str, en: str) -> Any:
    """An enum value whose wire form is its name."""
    return strawberry.enum_value(name, description=both(zh, en))
