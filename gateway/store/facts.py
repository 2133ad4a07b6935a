"""What policy decides on, read in one statement that is the same whoever it is about.

One row comes back for every person asked for, known or not; whose cases, seals and orders it holds is worked out from
that row alone. So neither the statements nor their number tell a sealed person from one nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Caller, CallerKind
from gateway.clock import Clock
from gateway.consent.ports import ConsentInForce, LiveConsents
from gateway.policy.decision import Purpose
from gateway.policy.facts import Relationship, Seal, SubjectFacts
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.supervision.case_facts import Part
from gateway.supervision.sealing import CaseSeen, Known, facts_of

_STATEMENT = """
SELECT s.value,
  (SELECT seal FROM subject_seal WHERE subject_id = s.value),
  (SELECT kind FROM relationship WHERE subject_id = s.value AND user_id = :user_id),
  EXISTS (SELECT 1 FROM officer WHERE subject_id = s.value AND user_id = :user_id),
  EXISTS (SELECT 1 FROM monitoring_order WHERE subject_id = s.value AND from_us <= :now AND to_us > :now
    AND (lifted_at_us IS NULL OR lifted_at_us > :now)),
  (SELECT {array}(id, items){text} FROM break_glass WHERE subject_id = s.value AND user_id = :user_id AND org_id = :org_id
    AND expires_at_us > :now AND outcome IS NULL AND (review = 'AFTER' OR approved_at_us IS NOT NULL)
    ORDER BY expires_at_us DESC LIMIT 1),
  (SELECT {all}({array}(case_no)){text} FROM unseal_order WHERE subject_id = s.value AND org_id = :org_id
    AND from_us <= :now AND expires_at_us > :now),
  (SELECT {all}({array}(c.case_no, c.state, c.seal, c.minor_at_offence, c.offence_in_progress, c.visible_from_us,
      (SELECT {joined} FROM case_party p WHERE p.case_no = c.case_no AND p.org_id = :org_id
        AND p.from_us <= :now AND (p.to_us IS NULL OR p.to_us > :now)),
      EXISTS (SELECT 1 FROM case_assignment a WHERE a.case_no = c.case_no AND a.user_id = :user_id
        AND a.from_us <= :now AND (a.to_us IS NULL OR a.to_us > :now)))){text}
    FROM case_register c WHERE c.subject_id = s.value)
FROM {asked} AS s(value)
"""
_SQLITE = {
    "text": "",
    "array": "json_array",
    "all": "json_group_array",
    "joined": "group_concat(p.part)",
    "asked": "(SELECT value FROM json_each(:subjects))",
}
_POSTGRESQL = {
    "text": "::text",  # read once for all who are alike
    "array": "json_build_array",
    "all": "json_agg",
    "joined": "string_agg(p.part, ',')",
    "asked": "json_array_elements_text(CAST(:subjects AS json))",
}


class StoredFacts:
    """Implements `gateway.policy.facts.Facts`."""

    def __init__(self, database: Database, clock: Clock, consents: LiveConsents | None = None) -> None:
        self._database, self._clock, self._consents = database, clock, consents
        text = _STATEMENT.format(**(_SQLITE if database.is_sqlite else _POSTGRESQL))
        if database.is_sqlite:  # it names no columns of a derived table
            text = text.replace("AS s(value)", "AS s")
        self._statement = sa.text(text)

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        """See the port."""
        if caller.kind is CallerKind.PARTNER:
            return await self._of_partner(caller, purpose, subjects)
        known = await self._known(caller, subjects)
        now = self._clock.now()
        alike = {id(one): one for one in known.values()}
        facts = {place: facts_of(one, purpose.case_no, now) for place, one in alike.items()}
        return [facts[id(known[subject])] for subject in subjects]

    async def _of_partner(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        """A partner has a consent or nothing; the statements are those of everybody else, then the consents'."""
        known = await self._known(caller, subjects)
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

    async def _known(self, caller: Caller, subjects: Sequence[str]) -> dict[str, Known]:
        asked = {
            "subjects": orjson.dumps(list(dict.fromkeys(subjects))).decode(),
            "user_id": caller.user_id,
            "org_id": caller.org_id,
            "now": to_us(self._clock.now()),
        }
        rows = await self._database.rows(self._statement, asked)
        # Within this one question, rows that say the same are read once: those of one case, and of all whom nobody knows.
        alike: dict[tuple[Any, ...], Known] = {}
        found = {}
        for row in rows:
            said = tuple(row[1:])
            known = alike.get(said)
            if known is None:
                known = alike[said] = _known(row)
            found[row[0]] = known
        return found


def _known(row: Sequence[Any]) -> Known:
    _, seal, kind, own, monitored, glass, orders, cases = row
    broken = _json(glass)
    return Known(
        seal=Seal(seal or Seal.NONE),
        relationship=Relationship.SELF if own else Relationship(kind or Relationship.NONE),
        cases=[_case(case) for case in _json(cases) or ()],
        orders=[order for (order,) in _json(orders) or ()],
        monitoring_order=bool(monitored),
        break_glass=broken[0] if broken else None,
        break_glass_items=frozenset(orjson.loads(broken[1])) if broken else frozenset(),
    )


def _case(case: Sequence[Any]) -> CaseSeen:
    case_no, state, seal, minor, offence, visible_from_us, parts, assigned = case
    return CaseSeen(
        case_no,
        state,
        Seal(seal),
        bool(minor),
        bool(offence),
        None if visible_from_us is None else from_us(visible_from_us),
        frozenset(Part(part) for part in parts.split(",")) if parts else frozenset(),
        bool(assigned),
    )


def _json(found: Any) -> Any:
    return None if found is None else orjson.loads(found)
