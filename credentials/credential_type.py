"""What a kind of credential is: its name, its claims, the facts they are made of, how long it holds. Read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any


class Disclosed(StrEnum):
    ALWAYS = "always"
    ALLOWED = "allowed"  # the holder chooses, claim by claim


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages; Chinese is the one that counts."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ClaimType:
    """One claim; top-level, so its path has one member. Predicates rather than raw values."""

    name: str
    label: Text
    disclosed: Disclosed
    mandatory: bool = True
    svg_id: str | None = None
    description: Text | None = None

    @property
    def path(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Card:
    """How it looks. Colours are #rrggbb."""

    background: str
    text: str
    svg: str  # the template itself, with {{svg_id}} places


@dataclass(frozen=True, slots=True)
class CredentialType:
    """`id` is also the item `credential.<id>` of the sharing rules: a type without a reviewed rule is issued to nobody.

    `facts`: noun of the GraphQL schema -> its fields, all a rule may look at. `rule` is the file's own requirement and
    evidence, read by `credentials.rules`. `paper`: what was fetched from a counter before; None where no errand is avoided.
    """

    id: str
    version: str
    name: Text
    description: Text
    claims: tuple[ClaimType, ...]
    facts: Mapping[str, tuple[str, ...]]
    rule: Any = field(repr=False)
    card: Card = field(repr=False)
    valid_for: timedelta = timedelta(days=90)
    recheck_every: timedelta = timedelta(days=1)
    holders: frozenset[str] = frozenset()
    catalogue_code: str = ""
    paper: Text | None = None

    def vct(self, base_url: str) -> str:
        """The type's own address, where its metadata is served."""
        return f"{base_url}/credentials/types/{self.id}/{self.version}"

    @property
    def selective(self) -> frozenset[str]:
        return frozenset(claim.name for claim in self.claims if claim.disclosed is Disclosed.ALLOWED)


SD_JWT, W3C = "dc+sd-jwt", "vc+jwt"
"""The formats a type is issued in; the configuration is the type's id, with `W3C_SUFFIX` for the second."""
W3C_SUFFIX = ".w3c"


def configuration_of(type_id: str, format: str = SD_JWT) -> str:
    """The `credential_configuration_id` of a type in a format."""
    return type_id if format == SD_JWT else type_id + W3C_SUFFIX


def split_configuration(configuration_id: str) -> tuple[str, str]:
    """Type id and format behind a `credential_configuration_id`; whether there is such a type is not looked at."""
    if configuration_id.endswith(W3C_SUFFIX):
        return configuration_id.removesuffix(W3C_SUFFIX), W3C
    return configuration_id, SD_JWT
