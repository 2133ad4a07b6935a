"""The GraphQL document that asks for a type's facts, and what its answer says as parts for the rule. Nothing else of a
person is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from credentials.credential_type import CredentialType
from credentials.rules import PERSON, Part, Said
from schema.nouns import PERSON as PERSON_NOUN
from schema.nouns import PERSON_KEY, NounSpec

# `conflicts` is not asked for: that would ask for every field sources are compared by. Of those asked for, `quality` tells it.
_ENVELOPE = (
    "state reason withheld sources { source state asOf reason retryAt } review { source } "
    "quality { field flag } records { asOf quality { field flag } %s }"
)


def places(ctype: CredentialType, nouns: Mapping[str, NounSpec]) -> Mapping[str, str]:
    """Noun of the type -> where it hangs on a person; a noun or field the schema does not have is left out."""
    found: dict[str, str] = {}
    for noun, fields in ctype.facts.items():
        spec = nouns.get(noun)
        if spec is None or not set(fields) <= spec.field_names:
            continue
        for link in spec.links:
            if link.on == PERSON_NOUN and tuple(link.by) == PERSON_KEY:
                found[noun] = link.name
    return found


def document(ctype: CredentialType, hung: Mapping[str, str]) -> str:
    """The text; purpose, number and name are variables, so that it is one document for everybody."""
    parts = " ".join(f"{place} {{ {_ENVELOPE % ' '.join(ctype.facts[noun])} }}" for noun, place in hung.items())
    return (
        "query Facts($idNo: String!, $name: String!, $code: String!, $caseNo: String, $reference: String) "
        "@purpose(code: $code, caseNo: $caseNo, reference: $reference) "
        f"{{ person(idNo: $idNo, name: $name) {{ {parts} }} }}"
    )


def parts_of(
    ctype: CredentialType, hung: Mapping[str, str], person: Mapping[str, Any], disputed: Mapping[str, frozenset[str]]
) -> dict[str, Part]:
    """Noun -> part. What no source of this deployment answers is not known, and never absent."""
    return {
        noun: _part(person[hung[noun]], disputed.get(noun, frozenset()))
        if noun in hung
        else Part("UNAVAILABLE", reason="NO_SOURCE")
        for noun in ctype.facts
    }


def own_part(name: str) -> Mapping[str, Part]:
    """What the issuer itself knows of the holder."""
    return {PERSON: Part("FRESH", ({"name": name, "nameMasked": name[:1] + "*" * (len(name) - 1)},))}


def _part(said: Mapping[str, Any], disputed: frozenset[str]) -> Part:
    sources: Sequence[Mapping[str, Any]] = said["sources"]
    answered = tuple(Said(one["source"], one["state"], moment(one["asOf"]), moment(one["retryAt"])) for one in sources)
    # A part of an answer that is missing for a reason may come yet; without one it is a match that a human must settle.
    waiting = any(one["state"] in ("UNAVAILABLE", "PARTIAL") and one["reason"] for one in sources)
    conflicts = frozenset(one["field"] or "*" for one in said["quality"] if one["flag"] == "CONFLICT")
    return Part(
        state=said["state"],
        records=tuple(_as_said(one) for one in said["records"]),
        conflicts=conflicts,
        disputed=disputed,
        withheld=frozenset(said["withheld"]),
        review=bool(said["review"]),
        waiting=waiting,
        sources=answered,
        reason=said["reason"] or "",
    )


def _as_said(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record without the mark of a dispute: readers' marks are seconds old, and what is signed goes by `disputed`."""
    quality = record.get("quality") or ()
    if all(doubt["flag"] != "DISPUTED" for doubt in quality):
        return record
    return {**record, "quality": [doubt for doubt in quality if doubt["flag"] != "DISPUTED"]}


def moment(text: Any) -> datetime | None:
    """A time as answers write it."""
    if isinstance(text, datetime) or text is None:
        return text
    return datetime.fromisoformat(str(text))
