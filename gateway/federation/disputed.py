"""A doubt beside each fact its own person disputes: readers see that, and never why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def doubts_of(
    noun: str, source: str, shown: Collection[str], disputed: Collection[DisputedFact]
) -> Sequence[Mapping[str, Any]]:
    """DISPUTED beside each disputed field of a record of `source`; a field this reader is not shown is not mentioned."""
    fields = {base_field(name) for name in shown}
    return [
        {"field": one.field, "flag": Quality.DISPUTED.value}
        for one in disputed
        if one.noun == noun and one.field in fields and one.source in ("", source)
    ]
