"""Types, the facts they are made of and who may be offered them, put together; and `yimen credentials types check`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from credentials.credential_type import CredentialType
from credentials.errors import TypeInvalid
from credentials.type_files import load_older, load_types
from gateway.caller import Evidence
from gateway.clock import Clock
from gateway.errors import SettingsInvalid
from gateway.services.credentials.fetch_facts import GatewayFacts
from gateway.services.credentials.may_offer import MayOffer
from gateway.services.disputes.ports import Dispute, DisputeState
from gateway.services.execute import Execute
from gateway.services.snapshots import Snapshots
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.holders import StoredHolders
from gateway.web.credential_types import type_routes


@dataclass(frozen=True, slots=True)
class TypeRoom:
    """What other rooms take from this one. `older`: versions somebody may still hold, issued no more."""

    types: Mapping[str, CredentialType]
    older: tuple[CredentialType, ...]
    facts: GatewayFacts
    may_offer: MayOffer
    holders: StoredHolders
    routes: Sequence[BaseRoute]


def types_of(settings: Settings) -> Mapping[str, CredentialType]:
    """Those of the product and of the deployment. Raises SettingsInvalid with every fault."""
    further = settings.credentials.types_dir
    try:
        return load_types([further] if further is not None else [])
    except TypeInvalid as error:
        raise SettingsInvalid(error.faults) from None


def older_of(settings: Settings, types: Mapping[str, CredentialType]) -> tuple[CredentialType, ...]:
    """Raises SettingsInvalid with every fault."""
    further = settings.credentials.types_dir
    try:
        return load_older(types, [further] if further is not None else [])
    except TypeInvalid as error:
        raise SettingsInvalid(error.faults) from None


class _Disputes:
    """Implements `gateway.services.credentials.fetch_facts.OpenDisputes`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, subject_id: str) -> Collection[Dispute]:
        return [one for one in await self._store.disputes.of_person(subject_id) if one.state is DisputeState.OPEN]


def type_room(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    execute: Execute,
    evidence: Evidence,
    clock: Clock,
) -> TypeRoom:
    """Raises SettingsInvalid."""
    types = types_of(settings)
    older = older_of(settings, types)
    holders = StoredHolders(store.database, store.subjects, clock)
    return TypeRoom(
        types,
        older,
        GatewayFacts(execute, snapshots, types, holders, holders, evidence, clock, _Disputes(store)),
        MayOffer(snapshots, types, holders, evidence, clock),
        holders,
        type_routes([*types.values(), *older], settings.base_url),
    )


def check_types(directory: Path | None) -> int:
    """The command: every fault of a folder of types, beside those of the product; what there is where there is none."""
    try:
        types = load_types([directory] if directory is not None else [])
        older = load_older(types, [directory] if directory is not None else [])
    except TypeInvalid as error:
        raise SettingsInvalid(error.faults) from None
    for one in (*types.values(), *older):
        facts = ", ".join(f"{noun}({' '.join(fields)})" for noun, fields in one.facts.items())
        print(f"{one.id}  {one.version}  {one.name.zh} / {one.name.en}  <- {facts}")
    return 0
