"""All a field may ask for while an operation runs. The gateway provides it; this floor fetches nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Data = Mapping[str, Any]
"""A value of an object type: GraphQL field name -> plain value. Key "_links" holds what other nouns hang on."""


@dataclass(frozen=True, slots=True)
class OfferAsked:
    """What `offerCredential` was asked with; `flow` is a name of CredentialOfferFlow."""

    id_no: str = field(repr=False)
    name: str = field(repr=False)
    credential: tuple[str, ...]
    tx_code: bool
    flow: str
    send: bool


class QueryContext(Protocol):
    """One operation's view of the world: already decided, already bounded by its deadline."""

    def people(self, keys: Sequence[tuple[str, str]], *, named: bool = False) -> Awaitable[Sequence[Data | Exception]]:
        """One person per (idNo, name), in order; BadInput in the place of a key that cannot be one. `named`: the question
        itself names them, no answer does."""
        ...

    def part(self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None]) -> Awaitable[Data]:
        """The part of `noun` that hangs on `links`; equal asks in one operation share one answer."""
        ...

    def page(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], first: int, after: str | None
    ) -> Awaitable[Data]:
        """A Relay connection over the records of one key."""
        ...

    def catalogue(self) -> Sequence[Data]: ...

    def purposes(self) -> Sequence[Data]: ...

    def source_health(self) -> AsyncIterator[Data]:
        """The state of each source now, then every change of it."""
        ...

    def offer(self, offer_id: str) -> Awaitable[Data | None]:
        """An offer of the asker's own body about somebody it may ask about; None for every other."""
        ...

    def offers(self, id_no: str, name: str) -> Awaitable[Sequence[Data]]:
        """Those of one person, newest first; none without a ground."""
        ...

    def offer_credential(self, asked: OfferAsked) -> Awaitable[Data]:
        """Make one. Raises BadInput for what cannot be one, and refusals with a code."""
        ...
