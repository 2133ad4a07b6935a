"""Kind `file_drop`: departments that leave files in a directory. Lookups are answered from an index, never from a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.drop_filling import Layout
from adapters.drop_index import Drop, DropIndex, Stored, View
from adapters.drop_intake import DropIntake
from adapters.drop_keys import macs_of_key
from adapters.drop_options import DropOptions, keys_of, option_faults, options_of, used_columns
from adapters.drop_seal import Seal, SealBroken, own_secret
from adapters.drop_watch import Blocked, DropWatch
from adapters.errors import Reason, SourceUnavailable
from adapters.feed import Feed
from adapters.kind import Opening, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.quarantine import Quarantine, Quarantined
from adapters.source import Absent, Answer, Failed, Found, Lookup, Page, Row, Value

_CLOSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class DropHealth:
    """For an operator; free of personal data. `fault` is "" while the directory is in reach."""

    fault: str
    newest: str  # file name as it can be shown, "" before the first complete drop
    dated_at: datetime | None
    too_old: bool  # the newest drop is older than max_age_s
    records: int
    bad: int
    quarantined: int  # entries in the listing, of all drops
    not_taken: tuple[tuple[str, str], ...]  # (file, reason)


class FileDropKind:
    """See adapters.kind.Kind and docs/guides/manifest.md, section file_drop."""

    name = "file_drop"
    uses_http = False

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        return option_faults(manifest)

    def open(self, opening: Opening) -> DropSource:
        """Starts watching at once, so that the index is ready before the first question."""
        return DropSource(opening)

    def per_key(self, answer: AnswerSpec) -> bool:
        return False


class DropSource:
    """A Source over the newest complete drop.

    Absence is stated only of a complete drop. While lines of it are in quarantine, a key one of them was about is
    INCOMPLETE, and every absence is when such a line's key could not be read (unless `absence_despite_quarantine`).
    While something newer lies there that cannot be used, rows are marked incomplete and nothing is absent.
    """

    def __init__(self, opening: Opening) -> None:
        manifest, state = opening.manifest, opening.state_dir
        self._manifest, self._now = manifest, opening.now
        self._options = options = options_of(manifest)
        layout = _layout(manifest)
        secret = (
            opening.secrets(options.index_key) if options.index_key else own_secret(state / f"{manifest.code}.drop.key")
        )
        self._seal = Seal(secret, manifest.code)
        self._index = DropIndex(state, manifest.code, _fingerprint(options, layout, self._seal))
        try:
            self._quarantine = Quarantine(state / f"{manifest.code}.quarantine.jsonl", options.max_quarantine)
        except OSError as error:
            self._index.close()
            raise SourceUnavailable(manifest.code, Reason.DOWN, f"the quarantine: {type(error).__name__}") from error
        self._intake = DropIntake(
            manifest.code, options, layout, self._index, self._seal, self._quarantine, opening.now
        )
        self._watch = DropWatch(manifest.code, opening.base_dir / opening.endpoint, options, self._intake, self._index)
        self._watch.start()

    @property
    def feed(self) -> Feed:
        """Where drops come in, for channels other than the directory."""
        return self._intake

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        """See Source. The first question waits for the files that lie there already, within its time."""
        spec = spec_of(self._manifest, lookup)
        try:
            async with asyncio.timeout(timeout_s):
                if not self._watch.swept.is_set():
                    await asyncio.to_thread(self._watch.swept.wait, timeout_s * 0.9)
                if fault := self._watch.fault():
                    raise SourceUnavailable(self._manifest.code, Reason.DOWN, fault)
                return await asyncio.to_thread(self._answer, spec, lookup)
        except TimeoutError as error:
            raise SourceUnavailable(self._manifest.code, Reason.TIMEOUT, "the index did not answer in time") from error

    def quarantine(self) -> tuple[Quarantined, ...]:
        """What was not used, oldest first: file, line, reason, when. No personal data; bounded by max_quarantine."""
        return self._quarantine.entries()

    def health(self) -> DropHealth:
        """Raises SourceUnavailable when the index cannot be read."""
        drop, options = self._index.newest(), self._options
        age_s = (self._now() - drop.dated_at).total_seconds() if drop else 0.0
        return DropHealth(
            fault=self._watch.fault(),
            newest=drop.shown if drop else "",
            dated_at=drop.dated_at if drop else None,
            too_old=0 < options.max_age_s < age_s,
            records=drop.records if drop else 0,
            bad=drop.bad if drop else 0,
            quarantined=len(self._quarantine),
            not_taken=self._watch.not_taken(),
        )

    async def close(self) -> None:
        """A drop that is being read is given up; the index keeps the set before it."""
        if await asyncio.to_thread(self._watch.stop, _CLOSE_S):
            self._index.close()

    def _answer(self, spec: AnswerSpec, lookup: Lookup) -> list[Answer]:
        ways = keys_of(spec)
        macs = [macs_of_key(self._seal, ways, lookup.by, key) for key in lookup.keys]
        view = self._index.find([frozenset(some or ()) for some in macs])
        if view.drop is None:
            raise SourceUnavailable(self._manifest.code, Reason.DOWN, "no complete drop yet")
        blocked = self._watch.blocked()
        return [
            Failed(Reason.KEY_MISSING, detail=f"needs {', '.join(name for name, _ in ways[0].columns)}")
            if some is None
            else self._one(spec, lookup, view, at, view.drop, blocked)
            for at, some in enumerate(macs)
        ]

    def _one(
        self, spec: AnswerSpec, lookup: Lookup, view: View, at: int, drop: Drop, blocked: Blocked | None
    ) -> Answer:
        now = self._now()
        if view.rows[at]:
            try:
                rows = self._rows(spec, lookup, view.rows[at])
            except SealBroken:
                return Failed(Reason.DOWN, detail="the index cannot be opened with its key")
            incomplete = blocked.reason if blocked else Reason.INCOMPLETE if view.doubts[at] else None
            if rows:
                dated_at = min(stored.dated_at for stored in view.rows[at])
                return Found(rows, dated_at, now, incomplete, none_as_of=drop.dated_at)
            return Absent(drop.dated_at, now)  # the page behind the last one
        if blocked:
            return Failed(blocked.reason, detail=f"{blocked.file}: {blocked.detail}")
        if (view.doubts[at] or view.doubtful) and not self._options.absence_despite_quarantine:
            return Failed(Reason.INCOMPLETE, detail="lines of the newest drop are in quarantine")
        return Absent(drop.dated_at, now)

    def _rows(self, spec: AnswerSpec, lookup: Lookup, stored: Sequence[Stored]) -> tuple[Row, ...]:
        found: list[tuple[Mapping[str, Value], datetime]] = [
            (json.loads(self._seal.open(one.body)), one.dated_at) for one in stored
        ]
        if lookup.page is not None and spec.record_id:
            found = _page(found, spec.record_id, lookup.page)
        return tuple(
            Row({name: values[name] for name in lookup.fields if name in values}, as_of=dated_at)
            for values, dated_at in found
        )


def _page(
    found: list[tuple[Mapping[str, Value], datetime]], record_id: str, page: Page
) -> list[tuple[Mapping[str, Value], datetime]]:
    """The rows behind `page.after` in the order of their record ids."""
    ordered = sorted(
        ((str(row[0].get(record_id) or ""), at, row) for at, row in enumerate(found)), key=lambda one: one[:2]
    )
    return [row for number, _, row in ordered if page.after is None or number > page.after][: page.first]


def _layout(manifest: SourceManifest) -> Layout:
    ways = {way.label: way for answer in manifest.answers for way in keys_of(answer)}
    ids = tuple(sorted({answer.record_id for answer in manifest.answers} - {""}))
    return Layout(used_columns(manifest), tuple(ways.values()), ids)


def _fingerprint(options: DropOptions, layout: Layout, seal: Seal) -> str:
    """Changes when the same files would be indexed otherwise, or under another key."""
    read_by = (
        options.format, options.codec, options.record, options.end_marker, options.delimiter, options.columns, options.mode,
        options.date_from, options.date_element, options.count_element, options.max_line_bytes, options.max_file_bytes,
    )  # fmt: skip
    told = json.dumps([*read_by, layout.columns, [way.label for way in layout.ways], layout.record_ids])
    return seal.mac("fingerprint", told).hex()
