"""A doubt beside each fact its own person disputes: readers see that, and never why."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from adapters.source import Quality
from gateway.federation.fields import base_field


class DisputedFact(Protocol):
    @property
    def noun(self) -> str: ...

    @property
    def field(self) -> str: ...

    @property
    def source(self) -> str:
        """ "" for whoever says it."""
        ...


class DisputedFacts(Protocol):
    def of(self, subject_id: str) -> Collection[DisputedFact]:
        """Asked for every person shown: answers from memory."""
        ...


class Undisputed:
    """Implements `DisputedFacts` where nobody can dispute anything."""

    def of(self, subject_id: str) -> Collection[DisputedFact]:
        return ()


def add_doubts(
    part: dict[str, Any], record: dict[str, Any], noun: str, shown: Collection[str], disputed: Collection[DisputedFact]
) -> None:
    """DISPUTED beside the fields of `record`, and of the part where it leads; a field this reader is not shown is not
    mentioned."""
    fields = {base_field(name) for name in shown}
    doubts = [
        {"field": one.field, "flag": Quality.DISPUTED.value}
        for one in disputed
        if one.noun == noun and one.field in fields and one.source in ("", record["source"])
    ]
    if not doubts:
        return
    record["quality"] = [*record["quality"], *doubts]
    if record is part["best"]:
        part["quality"] = [*part["quality"], *doubts]
