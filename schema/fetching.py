"""How a field gets a value that does not simply stand in its parent. Everything that is not named so, is read from there.

The compiled executor (`gateway.federation.compiled`) knows fields by these two ways alone; it knows nothing of nouns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias


class Ask(NamedTuple):
    """One field for all parents of one level of an answer."""

    what: Any  # what `Batched` says
    parents: Sequence[Any]
    arguments: Mapping[str, Any]  # coerced, defaults among them


Fetch: TypeAlias = Callable[[Any, Sequence[Ask]], Awaitable[Sequence[Sequence[Any]]]]
"""(context, asks) -> for each ask one value a parent, in order; an Exception in the place of a value is that field's error."""


@dataclass(frozen=True, slots=True)
class Batched:
    """Fetched for a whole level at once: fields that have the same `fetch` share one call."""

    fetch: Fetch
    what: Any


@dataclass(frozen=True, slots=True)
class Computed:
    """Made from what stands in the parent, by the field's arguments: `of(parent, arguments)`. A field that is written
    without any is read like every other."""

    of: Callable[[Any, Mapping[str, Any]], Any]


Fetching: TypeAlias = Mapping[tuple[str, str], Batched | Computed]
"""(type, field) -> how."""
