"""What may be asked of a wallet, for what, and by whom: `templates.toml`, reviewed like a rule."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from credentials.credential_type import SD_JWT, Text
from credentials.openid4vp.dcql import read_query


@dataclass(frozen=True, slots=True)
class Wanted:
    """One credential of a template: `claims` are all that is asked of it."""

    id: str
    type_id: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """`purpose`: what the wallet says it is for. `purposes`: of the register; whoever asks is registered for one of them.

    `options`: sets of credential ids, one of which must be shown; empty: all of them.
    """

    id: str
    title: Text
    purpose: Text
    purposes: frozenset[str]
    org_kinds: frozenset[str]
    wanted: tuple[Wanted, ...]
    options: tuple[tuple[str, ...], ...] = ()

    def dcql(self, vct_of: Mapping[str, str], further: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
        """The query. `vct_of`: our own types by id; `further`: what other issuers call the same type."""
        query: dict[str, Any] = {
            "credentials": [
                {
                    "id": one.id,
                    "format": SD_JWT,
                    "meta": {"vct_values": [vct_of[one.type_id], *(further or {}).get(one.type_id, ())]},
                    "claims": [{"path": [name]} for name in one.claims],
                }
                for one in self.wanted
            ]
        }
        if self.options:
            query["credential_sets"] = [{"options": [list(one) for one in self.options]}]
        read_query(query)
        return query


def read_templates(text: str) -> Mapping[str, Template]:
    """Raises ValueError, KeyError for a file that is not one: it comes with the product."""
    return {id: _template(id, table) for id, table in tomllib.loads(text).items()}


@cache
def built_in() -> Mapping[str, Template]:
    return read_templates(resources.files(__package__).joinpath("templates.toml").read_text("utf-8"))


def _template(id: str, table: Mapping[str, Any]) -> Template:
    wanted = tuple(Wanted(one["id"], one["type"], tuple(one["claims"])) for one in table["credentials"])
    found = Template(
        id,
        Text(**table["title"]),
        Text(**table["purpose"]),
        frozenset(table["purposes"]),
        frozenset(table["org_kinds"]),
        wanted,
        tuple(tuple(one) for one in table.get("options", ())),
    )
    ids = [one.id for one in wanted]
    if len(set(ids)) != len(ids) or any(set(one) - set(ids) for one in found.options) or not found.purposes:
        raise ValueError(id)
    return found
