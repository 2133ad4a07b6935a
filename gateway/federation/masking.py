"""How a value looks to a reader who may know that it is there, but not what it is."""

from __future__ import annotations

from typing import Any

from adapters.identity import mask_id, mask_name

_NAMES = frozenset({"name", "usedNames", "approvedBy"})


def masked(field: str, value: Any) -> Any:
    """`value` with its identifying middle hidden; null stays null, and what is no text becomes null."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [masked(field, item) for item in value]
    if not isinstance(value, str):
        return None
    if field == "idNo":
        return mask_id(value)
    if field in _NAMES:
        return mask_name(value)
    kept = 3 if len(value) >= 11 else 1
    return value[:kept] + "*" * max(len(value) - 2 * kept, 1) + value[len(value) - kept :] if len(value) > 2 else "*"
