"""What policy decides on, read in one statement that is the same whoever it is about.

Whose cases, seals and orders a person's row holds is worked out from that row alone. So neither the statements nor their
number tell a sealed person from one nobody knows. On SQLite rows are kept for as long as the tables are as they were, which
is asked each time (ADR 0023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
import sqlalchemy as sa

from gateway.caller import Caller, CallerKind
from gateway.clock import Clock
from gateway.consent.ports import ConsentInForce, LiveConsents
from gateway.policy.decision import Purpose
from gateway.policy.facts import Named, Seal, SubjectFacts
from gateway.store.engine import Database
from gateway.store.facts_rows import VERSION, Said, facts_statement, known_at
from gateway.store.ids import from_us, to_us
from gateway.store.kept_facts import KeptFacts
from gateway.store.tables.fact_version import TRIGGERS
from gateway.supervision.sealing import facts_of

_STATE = sa.text(f"SELECT {VERSION}")
_WATCHED = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"


class StoredFacts:
    """Implements `gateway.policy.facts.Facts`."""

    def __init__(self, database: Database, clock: Clock, consents: LiveConsents | None = None) -> None:
        self._database, self._clock, self._consents = database, clock, consents
        self._statement = facts_statement(is_sqlite=database.is_sqlite)
        self.kept = KeptFacts() if database.is_sqlite else None
        self._watched = False  # whether the tables were seen to have their triggers

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        """See the port."""
        now_us = to_us(self._clock.now())
        if caller.kind is CallerKind.PARTNER:
            return await self._of_partner(caller, purpose, subjects, now_us)
        claimed, kept = purpose.case_no, self.kept
        if kept is None or type(subjects) is not Named:
            said, _ = await self._read(caller, subjects, now_us)
            return _in_order(subjects, said, claimed, now_us)
        asker = (caller.user_id, caller.org_id)
        mine = kept.of(asker)
        if mine is not None and mine.holds(subjects, now_us):
            state = kept.state  # `mine` is of this one, whatever others keep while the database is asked
            if state == await self._state():
                return mine.at(subjects, claimed, now_us, _facts_at)
            kept.clear()
        said, state = await self._read(caller, subjects, now_us)
        mine = kept.keep(asker, state, said, now_us) if state is not None and await self._is_watched() else None
        if mine is not None:
            return mine.at(subjects, claimed, now_us, _facts_at)
        return _in_order(subjects, said, claimed, now_us)

    async def _of_partner(
        self, caller: Caller, purpose: Purpose, subjects: Sequence[str], now_us: int
    ) -> Sequence[SubjectFacts]:
        """A partner has a consent or nothing; the statements are those of everybody else, then the consents'."""
        said, _ = await self._read(caller, subjects, now_us)
        known, _ = known_at(said, now_us)
        found: Sequence[ConsentInForce | None] = [None] * len(subjects)
        if self._consents is not None:
            found = await self._consents.use(caller, purpose.code, subjects)
        return [
            SubjectFacts(seal=known[subject].seal)
            if known[subject].seal is not Seal.NONE
            else SubjectFacts(
                consent=consent,
                sealed_cases=frozenset(
                    case.case_no for case in known[subject].cases if case.seal is not Seal.NONE or case.minor_at_offence
                ),
            )
            for subject, consent in zip(subjects, found, strict=True)
        ]

    async def _read(self, caller: Caller, subjects: Sequence[str], now_us: int) -> tuple[dict[str, Said], str | None]:
        """What is said of each, and in which state of the tables: one statement, so they cannot but belong together."""
        asked = {
            "subjects": orjson.dumps(list(dict.fromkeys(subjects))).decode(),
            "user_id": caller.user_id,
            "org_id": caller.org_id,
            "now": now_us,
        }
        rows = await self._database.rows(self._statement, asked)
        state = rows[0][-1] if rows else None
        if self.kept is not None and state != self.kept.state:  # whoever asks, nothing older is left
            self.kept.clear()
        return {row[0]: tuple(row[1:-1]) for row in rows}, state

    async def _state(self) -> str | None:
        rows = await self._database.rows(_STATE, {})
        return rows[0][0] if rows else None

    async def _is_watched(self) -> bool:
        """A database that came without its triggers (put together by hand, say) is read each time."""
        if not self._watched:
            self._watched = {name for (name,) in await self._database.peek(_WATCHED)} >= TRIGGERS
        return self._watched


def _facts_at(said: Mapping[str, Said], claimed: str | None, now_us: int) -> tuple[Mapping[str, SubjectFacts], int]:
    """What it comes to towards that claim, and the first instant it may be otherwise."""
    known, until = known_at(said, now_us)
    now = from_us(now_us)
    alike = {id(one): one for one in known.values()}
    facts = {place: facts_of(one, claimed, now) for place, one in alike.items()}
    return {subject: facts[id(one)] for subject, one in known.items()}, until


def _in_order(
    subjects: Sequence[str], said: Mapping[str, Said], claimed: str | None, now_us: int
) -> Sequence[SubjectFacts]:
    facts, _ = _facts_at(said, claimed, now_us)
    return [facts[subject] for subject in subjects]
