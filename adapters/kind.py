"""What a kind of department system (rest, soap, sql, file_drop, graphql) must be able to do.

A kind only moves raw words. `Mapped` (adapters/mapping.py) stands before it and `Guarded`
(adapters/resilience.py) before that, so a kind knows nothing of canonical fields, persons, matching, limits or hours.

What the source a kind opens is asked, and what it answers:

- `lookup.noun` and `lookup.by` find the answer spec: `spec_of(manifest, lookup)`; there is exactly one.
- `lookup.keys`: one value per name in `by`; None where the asker does not know that part. A part the request
  cannot do without is Failed(KEY_MISSING) for that key. A part called "idNo" is the normalised 18-character ID;
  a kind that compares IDs itself (an IN list, a file index) must also find `adapters.identity.id_forms(id)`.
  Keys may repeat, be hostile (quotes, braces, NUL, 10 kB) or be none at all.
- `lookup.fields` are RAW names (dots walk into nested objects) and already hold all that is needed for record id,
  date, subject and links. Ask for no more than these. More may come back (a REST record is what it is):
  `Mapped` lets only what was asked leave.
- A row is `Row(values=...)` and nothing else: raw name -> raw value, nested objects either as they are or flat under
  the dotted name. A row that belongs to a key of the batch goes to that key; rows of no key asked for are left out.
- `Found` with at least one row, `Absent` only when the department said so in full, else `Failed`;
  `fetched_at` (and `as_of` where the channel knows better, say a file's delivery) are set by the kind.
- The whole call failed: raise SourceUnavailable. Nothing personal in any `detail`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from adapters.clock import Now
from adapters.egress import Channel
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.source import Answer, Lookup, Source
from adapters.whole_source import Whole


@dataclass(frozen=True, slots=True)
class Opening:
    """All that a kind gets to open a source. `repr` shows no endpoint, for a database URL holds a password."""

    manifest: SourceManifest
    channel: Channel | None  # None for kinds without HTTP; the registry closes it, not the source
    endpoint: str  # resolved, no longer a reference
    secrets: Callable[[str], str]  # "env:NAME" | "file:PATH" -> the secret; raises SecretMissing (adapters/secrets.py)
    now: Now
    state_dir: Path  # the kind's own durable place (an index, a quarantine); exists
    base_dir: Path  # relative paths of the manifest start here

    def __repr__(self) -> str:
        return f"Opening({self.manifest.code})"


class Kind(Protocol):
    """One kind of department system; stateless, one instance a process."""

    @property
    def name(self) -> str:
        """As manifests write it."""
        ...

    @property
    def uses_http(self) -> bool:
        """Whether it is given a channel (a per-source egress pool for the endpoint's host and `allow_hosts`)."""
        ...

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        """Every fault of the kind's own parts: (dotted path of the entry in the TOML, what to mend).

        Paths read "source.options.wsdl", "source.auth.style", "answers.0.request.mode". Opens nothing.
        The form of everything else is already checked.
        """
        ...

    def open(self, opening: Opening) -> Source:
        """The source, ready to be asked; connects lazily. Raises AdapterError when that is known to be hopeless."""
        ...

    def per_key(self, answer: AnswerSpec) -> bool:
        """Whether every key costs a request of its own (True) or a batch costs one (False)."""
        ...


@runtime_checkable
class ReadsWhole(Protocol):
    """A source of a kind that holds the records of a whole batch in hand at once."""

    async def fetch_whole(self, lookup: Lookup, whole: Whole, *, timeout_s: float) -> tuple[Sequence[Answer], bool]:
        """As `Source.fetch`, and whether it was `whole` that made the answers: then they are canonical ones.

        The raw fields stand in `whole`, those of `lookup` are canonical. Its keys are distinct and have all their parts.
        """
        ...


def spec_of(manifest: SourceManifest, lookup: Lookup) -> AnswerSpec:
    """The answer spec for `lookup`; ValueError where the source does not answer that (a caller's mistake)."""
    for answer in manifest.answers:
        if answer.noun == lookup.noun and answer.by == lookup.by:
            return answer
    raise ValueError(f"source {manifest.code} does not answer {lookup.noun} by {', '.join(lookup.by)}")
