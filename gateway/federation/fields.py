"""Names of facts: a code and its raw word are one fact, and that there is a record at all is a fact too."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.policy.decision import EXISTS

RAW = "Raw"


def base_field(name: str) -> str:
    """`typeRaw` -> `type`."""
    return name[: -len(RAW)] if name.endswith(RAW) and len(name) > len(RAW) else name


def policy_fields(asked: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What policy is asked to decide on."""
    return {noun: frozenset({EXISTS, *(base_field(name) for name in names)}) for noun, names in asked.items()}
