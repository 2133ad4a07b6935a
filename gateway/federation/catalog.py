"""Which source answers which noun: one immutable snapshot that a running operation keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from adapters.manifest import AnswerSpec, SourceManifest
from adapters.registry import OpenSource
from gateway.federation.fields import base_field
from gateway.federation.health_watch import HealthWatch
from gateway.policy.purposes import PurposeRegister
from schema.build import BuiltSchema

_MOST_FIELD_SETS = 1024


@dataclass(frozen=True, slots=True)
class Offer:
    """One source's ability to answer one noun by one key."""

    code: str
    source: OpenSource
    spec: AnswerSpec
    share_class: str
    fields: frozenset[str]
    ranks: Mapping[str, int]  # field -> authority where it differs from the answer's own
    stale_after: timedelta | None
    pause: timedelta = timedelta(seconds=5)  # when to ask again a source that did not say when
    hops: int | None = None  # of a source that is a gateway: how many gateways a question may have come through already
    names: frozenset[str] = frozenset()  # of a source that is a gateway: what it may be called in `Onward.via`

    @property
    def rank(self) -> int:
        return self.spec.rank

    def rank_of(self, field: str) -> int:
        return self.ranks.get(field, self.spec.rank)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Schema, sources and purposes as they stood together. Caches are keyed by `version`."""

    version: str
    schema: BuiltSchema
    offers: Mapping[str, tuple[Offer, ...]]  # noun -> offers, most authoritative first
    sources: tuple[OpenSource, ...]
    purposes: PurposeRegister

    @cached_property
    def watch(self) -> HealthWatch:
        """How the sources are doing, for those who listen."""
        return HealthWatch(self.sources)

    @cached_property
    def asks_gateways(self) -> bool:
        """Whether any source is a gateway itself: only then must questions say by whom they come."""
        return any(source.gateway is not None for source in self.sources)

    @cached_property
    def _answering(self) -> dict[tuple[str, tuple[str, ...]], Sequence[Offer]]:
        return {}

    @cached_property
    def _fields(self) -> dict[tuple[int, frozenset[str]], tuple[Offer, frozenset[str]]]:
        return {}

    def answering(self, noun: str, by: tuple[str, ...]) -> Sequence[Offer]:
        """The offers for `noun` whose keys are all among `by`; of one source only the one that uses most of them."""
        place = (noun, by)
        found = self._answering.get(place)
        if found is None:  # nouns and the names of their keys are the schema's, so there are few
            found = self._answering[place] = self._offers_for(noun, by)
        return found

    def fields_of(self, offer: Offer, granted: frozenset[str]) -> frozenset[str]:
        """Of the granted fields those this source has; a code's raw word comes with the code. Equal questions get the very
        same set, so that whoever keeps something by it is quick to find it."""
        place = (id(offer), granted)
        known = self._fields.get(place)
        if known is None:
            if len(self._fields) >= _MOST_FIELD_SETS:
                self._fields.clear()
            found = frozenset(name for name in granted if base_field(name) in offer.fields)
            known = self._fields[place] = (offer, found)
        return known[1]

    def _offers_for(self, noun: str, by: tuple[str, ...]) -> Sequence[Offer]:
        given = frozenset(by)
        best: dict[str, Offer] = {}
        for offer in self.offers.get(noun, ()):
            if given.issuperset(offer.spec.by):
                held = best.get(offer.code)
                if held is None or len(offer.spec.by) > len(held.spec.by):
                    best[offer.code] = offer
        return tuple(best.values())


def offers_of(sources: Sequence[OpenSource]) -> Mapping[str, tuple[Offer, ...]]:
    """Every offer of `sources` by noun, most authoritative first."""
    found: dict[str, list[Offer]] = {}
    for source in sources:
        for spec in source.manifest.answers:
            found.setdefault(spec.noun, []).append(_offer(source, source.manifest, spec))
    return {noun: tuple(sorted(offers, key=lambda offer: (offer.rank, offer.code))) for noun, offers in found.items()}


def _offer(source: OpenSource, manifest: SourceManifest, spec: AnswerSpec) -> Offer:
    return Offer(
        code=manifest.code,
        source=source,
        spec=spec,
        share_class=manifest.catalogue.share_class.value,
        fields=frozenset(item.name for item in spec.fields),
        ranks={item.name: item.rank for item in spec.fields if item.rank is not None},
        stale_after=None if spec.stale_after_s is None else timedelta(seconds=spec.stale_after_s),
        pause=timedelta(seconds=manifest.limits.breaker_open_s),
        hops=None if source.gateway is None else source.gateway.hops,
        names=frozenset() if source.gateway is None else source.gateway.names,
    )
