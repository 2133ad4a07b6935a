"""Finds a set of rules by what an operator calls it: shipped, in-force, a folder, a proposal, a version."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.bootstrap.database import opened_store
from gateway.errors import RequestRefused, SettingsInvalid
from gateway.policy.compare import Decided
from gateway.policy.items import DeclaredNoun
from gateway.policy.purposes import PurposeRegister, read_register
from gateway.policy.ruleset import EXAMPLES, RuleSet, folder, read_rules, remade, shipped
from gateway.services.load_sources import PURPOSES, RULES, declared_nouns, read_sources
from gateway.settings import Settings
from gateway.store import Store


def rules_of(base: Mapping[str, str] | None, manifests: Path | None) -> RuleSet:
    """`base` (shipped unless given) with what the applications of a manifests folder bring. Raises SettingsInvalid."""
    declared: Mapping[str, DeclaredNoun] = {}
    if manifests is not None and any(manifests.glob("*.toml")):
        declared = declared_nouns(read_sources(manifests))
    brought = folder(manifests / RULES) if manifests is not None else None
    return read_rules(purposes_in(manifests), base, brought, declared)


def purposes_in(manifests: Path | None) -> PurposeRegister:
    """The purposes in force: those that come with yimen, and the deployment's. Raises SettingsInvalid."""
    return read_register(sorted((manifests / PURPOSES).glob("*.toml")) if manifests is not None else [])


def texts_in(directory: Path) -> dict[str, str]:
    """A folder of rules, as far as they decide. Raises SettingsInvalid where there are none."""
    if not directory.is_dir():
        raise SettingsInvalid((f"{directory}: there is no such folder",))
    found = folder(directory)
    if not any(name.endswith(".cedar") for name in found):
        raise SettingsInvalid((f"{directory}: there is no *.cedar file in it",))
    return found


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Store, Settings]]:
    settings = Settings.from_process()
    async with opened_store(settings) as store:
        yield store, settings


async def find(name: str, store: Store, settings: Settings) -> RuleSet:
    """Raises RequestRefused (POLICY_VERSION_UNKNOWN) or SettingsInvalid."""
    manifests = settings.manifests_dir if settings.manifests_dir.is_dir() else None
    if name == "shipped":
        return rules_of(None, manifests)
    if name == "in-force":
        approved = await store.policies.in_force()
        return rules_of(approved.texts if approved is not None else None, manifests)
    directory = _folder(name)
    if directory is not None:
        return rules_of(texts_in(directory), manifests)
    proposed = await store.policies.proposed(name)
    if proposed is not None:
        return rules_of(proposed, manifests)
    texts = await store.policies.texts(name)
    if texts is None:
        raise RequestRefused("POLICY_VERSION_UNKNOWN", f"there is no set of rules called {name}")
    return remade(texts)


async def of_its_day(event_id: str, store: Store) -> tuple[Decided, RuleSet]:
    """A recorded decision and the rules it was made by. Raises RequestRefused EVENT_UNKNOWN, POLICY_VERSION_UNKNOWN."""
    decided = await store.policies.event(event_id)
    if decided is None or not decided.inputs:
        raise RequestRefused("EVENT_UNKNOWN", "there is no such event, or it does not say what it was decided from")
    texts = await store.policies.texts(decided.policy_version)
    if texts is None:
        raise RequestRefused("POLICY_VERSION_UNKNOWN", f"version {decided.policy_version[:16]} was never kept")
    return decided, remade(texts)


def _folder(name: str) -> Path | None:
    return Path(name) if Path(name).is_dir() else None


def examples_of(directory: Path | None) -> str | None:
    """The examples beside the rules; None where there are none."""
    return (texts_in(directory) if directory is not None else shipped()).get(EXAMPLES)
