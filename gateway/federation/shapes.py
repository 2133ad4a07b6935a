"""What a part of one noun may show in one operation: the asked fields, split by a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.federation.fields import base_field
from gateway.federation.hiding import silent_fields
from gateway.policy.decision import EXISTS, Effect
from schema.nouns import NounSpec


@dataclass(frozen=True, slots=True)
class Shape:
    """What a part of one noun may show in this operation: asked fields, split by the mask."""

    noun: NounSpec
    shown: frozenset[str]  # asked and allowed, raw words of codes included
    masked: frozenset[str]  # of those, the ones that leave masked
    withheld: tuple[str, ...]
    open: bool  # whether any source may be asked at all
    absent: bool = False  # this subject must look like one nobody knows
    fetched: frozenset[str] = frozenset()  # what sources are asked for: `shown`, and what tells which records to hide
    plain: bool = False  # all that was asked is shown as it is: a row may be read without anything being taken out


def shape_of(
    noun: NounSpec, asked: frozenset[str], effects: Mapping[str, Effect], implied: frozenset[str] = frozenset()
) -> Shape:
    """Apply the mask to what was asked; what the mask does not name is withheld. `implied` was asked by nobody by name,
    so nobody is told that it is kept from them."""

    def effect(name: str) -> Effect:
        return effects.get(base_field(name), Effect.WITHHOLD)

    shown = frozenset(name for name in asked if effect(name) in (Effect.ALLOW, Effect.MASK))
    masked = frozenset(name for name in asked if effect(name) is Effect.MASK)
    return Shape(
        noun,
        shown,
        masked,
        tuple(sorted(name for name in asked - implied if effect(name) is Effect.WITHHOLD)),
        effects.get(EXISTS) is Effect.ALLOW and bool((shown - implied) or not (asked - implied)),
        effects.get(EXISTS) is Effect.AS_IF_ABSENT,
        shown | silent_fields(noun),
        shown == asked and not masked,
    )
