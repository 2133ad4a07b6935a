"""From a directory of manifests to a snapshot in force: read, check, build the schema, open the sources."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.clock import Now
from adapters.egress import Egress
from adapters.errors import ManifestInvalid
from adapters.manifest import Fault, NounDecl
from adapters.manifest_reader import ManifestSet, read_manifests
from adapters.registry import KINDS, OpenSource, open_source
from gateway.federation.catalog import Snapshot, offers_of
from gateway.federation.cold import ColdWork
from gateway.federation.plan import Plans
from gateway.policy.decision import Policy
from gateway.policy.items import DeclaredNoun
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import RuleSet, folder, read_rules
from gateway.services.rules_in_force import RulesInForce
from gateway.services.snapshots import Held
from schema.build import build_schema
from schema.builtin import builtin_nouns, enum_names
from schema.limits import Limits
from schema.nouns import PERSON, FieldSpec, LinkSpec, NounSpec, Title

PURPOSES = "policy"
"""The folder beside the manifests whose *.toml files add to the register of purposes."""
RULES = "policies"
"""The folder beside the manifests whose *.cedar and *.toml files bring an application's rules and items."""


def known_nouns() -> Mapping[str, Mapping[str, frozenset[str] | None]]:
    """Noun -> field -> the names its code table allows, or None where it is no code: what manifests are checked against."""
    known: dict[str, dict[str, frozenset[str] | None]] = {
        noun.name: {field.name: enum_names(field.type) for field in noun.fields} for noun in builtin_nouns()
    }
    return {**known, PERSON: {"idNo": None, "name": None}}


def noun_of(declared: NounDecl) -> NounSpec:
    """A manifest's noun as the schema knows nouns; this is where the two floors meet."""
    return NounSpec(
        declared.name,
        declared.type_name,
        Title(declared.title.zh, declared.title.en),
        tuple(
            FieldSpec(item.name, item.type, Title(item.title.zh, item.title.en), item.is_list, item.filterable)
            for item in declared.fields
        ),
        tuple(LinkSpec(link.on, link.name, link.by, Title(link.title.zh, link.title.en)) for link in declared.links),
        root_keys=declared.keys,
    )


_WORST = ("N", "C", "U")


def declared_nouns(manifests: ManifestSet) -> dict[str, DeclaredNoun]:
    """What rules may know of nouns that only manifests declare; of several sources the most careful class counts."""
    declared: dict[str, DeclaredNoun] = {}
    for source in manifests.sources:
        for noun in source.nouns:
            classes = {
                other.catalogue.share_class.value
                for other in manifests.sources
                if other is source or any(answer.noun == noun.name for answer in other.answers)
            }
            worst = next(known for known in _WORST if known in classes)
            declared[noun.name] = DeclaredNoun(worst, {item.name: item.sensitivity.value for item in noun.fields})
    return declared


_MAKES = {
    "String": {"text", "month", "code"},
    "Int": {"int"},
    "Float": {"float", "int"},
    "Boolean": {"bool"},
    "Date": {"date"},
    "DateTime": {"datetime"},
}


def type_faults(manifests: ManifestSet) -> Iterator[Fault]:
    """Mappings that make a value the schema's field cannot show; without this each answer would be an error."""
    nouns = {noun.name: {item.name: item for item in noun.fields} for noun in builtin_nouns()}
    for manifest in manifests.sources:
        for number, answer in enumerate(manifest.answers):
            for mapping in answer.fields:
                field = nouns.get(answer.noun, {}).get(mapping.name)
                if field is None:
                    continue
                wanted = {"list"} if field.is_list else _MAKES.get(field.type, {"code"})
                if mapping.type not in wanted:
                    place = f"answers.{number}.fields.{mapping.name}"
                    message = f"{mapping.name} is {field.type} in the schema, so its type must be {' or '.join(sorted(wanted))}"
                    yield manifests.fault(manifest, place, message)


def read_sources(directory: Path) -> ManifestSet:
    """The manifests of `directory`, sound in form and against the schema. Raises ManifestInvalid with every fault."""
    manifests = read_manifests(directory, known_nouns(), KINDS)
    faults = tuple(type_faults(manifests))
    if faults:
        raise ManifestInvalid(faults)
    return manifests


@dataclass(frozen=True, slots=True)
class SourceLoads:
    """Implements `gateway.services.snapshots.Loads` over a directory."""

    directory: Path
    egress: Egress
    environ: Mapping[str, str]
    state_dir: Path
    now: Now
    limits: Limits
    introspection: bool
    policy: Callable[[RuleSet], Policy]
    observe: Callable[[OpenSource], OpenSource] = lambda source: source
    rules: RulesInForce | None = None  # None: the rules that come with yimen
    trusted: Collection[str] = ()  # texts that are planned before anybody asks
    cold: ColdWork | None = None  # what new documents may cost; one account for all that is loaded

    def version(self) -> str:
        """Names, sizes and times of the files: cheap enough to look at every second."""
        digest = hashlib.sha256(self.rules.stamp().encode() if self.rules is not None else b"")
        for path in self._files():
            try:
                found = path.stat()
                digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
            except OSError:
                digest.update(f"{path.name}\0gone\0".encode())
        return digest.hexdigest()

    async def load(self) -> Held:
        """Raises ManifestInvalid, NounConflict or SettingsInvalid; then nothing was opened or all was closed again."""
        manifests: ManifestSet = await asyncio.to_thread(read_sources, self.directory)
        register = read_register(sorted((self.directory / PURPOSES).glob("*.toml")))
        base = self.rules.texts() if self.rules is not None else None
        rules = read_rules(register, base, folder(self.directory / RULES), declared_nouns(manifests))
        if self.rules is not None:
            await self.rules.store.keep(rules.version, rules.texts)
        declared = [noun_of(noun) for source in manifests.sources for noun in source.nouns]
        built = await asyncio.to_thread(build_schema, declared)
        opened: list[OpenSource] = []
        try:
            for manifest in manifests.sources:
                opened.append(
                    self.observe(
                        open_source(
                            manifest,
                            egress=self.egress,
                            environ=self.environ,
                            base_dir=self.directory,
                            state_dir=self.state_dir,
                            now=self.now,
                        )
                    )
                )
        except BaseException:
            await _close(opened)
            raise
        version = hashlib.sha256(f"{manifests.version}{rules.version}{built.sdl}".encode()).hexdigest()
        snapshot = Snapshot(version, built, offers_of(opened), tuple(opened), register)
        plans = Plans(built, self.limits, introspection=self.introspection, cold=self.cold)
        await asyncio.to_thread(plans.warm, self.trusted)
        return Held(snapshot, plans, self.policy(rules))

    async def close(self, held: Held) -> None:
        await _close(held.snapshot.sources)

    def _files(self) -> list[Path]:
        rules = self.directory / RULES
        purposes = (self.directory / PURPOSES).glob("*.toml")
        return sorted([*self.directory.glob("*.toml"), *purposes, *rules.glob("*.cedar"), *rules.glob("*.toml")])


async def _close(sources: tuple[OpenSource, ...] | list[OpenSource]) -> None:
    await asyncio.gather(*(source.close() for source in sources), return_exceptions=True)
