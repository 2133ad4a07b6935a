"""The one statement of facts and what its rows say at an instant.

One row comes back for every person asked for, known or not. It holds spans of time as they stand (but for those that are
over), so what a row says later needs no further question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.policy.facts import Relationship, Seal
from gateway.store.ids import from_us
from gateway.supervision.case_facts import Part
from gateway.supervision.sealing import CaseSeen, Known

FOREVER = 1 << 62
VERSION = "(SELECT number || '/' || mark FROM fact_version)"

_STATEMENT = """
SELECT s.value,
  (SELECT seal FROM subject_seal WHERE subject_id = s.value),
  (SELECT kind FROM relationship WHERE subject_id = s.value AND user_id = :user_id),
  EXISTS (SELECT 1 FROM officer WHERE subject_id = s.value AND user_id = :user_id),
  (SELECT {joined}(from_us || ' ' || CASE WHEN lifted_at_us < to_us THEN lifted_at_us ELSE to_us END, ',')
    FROM monitoring_order
    WHERE subject_id = s.value AND to_us > :now AND (lifted_at_us IS NULL OR lifted_at_us > :now)),
  (SELECT {array}(expires_at_us, id, items){text} FROM break_glass
    WHERE subject_id = s.value AND user_id = :user_id AND org_id = :org_id
    AND expires_at_us > :now AND outcome IS NULL AND (review = 'AFTER' OR approved_at_us IS NOT NULL)
    ORDER BY expires_at_us DESC LIMIT 1),
  (SELECT {all}({array}(case_no, from_us, expires_at_us)){text} FROM unseal_order
    WHERE subject_id = s.value AND org_id = :org_id AND expires_at_us > :now),
  (SELECT {all}({array}(c.case_no, c.state, c.seal, c.minor_at_offence, c.offence_in_progress, c.visible_from_us,
      (SELECT {joined}(p.part || ' ' || p.from_us || ' ' || coalesce(CAST(p.to_us AS text), ''), ',') FROM case_party p
        WHERE p.case_no = c.case_no AND p.org_id = :org_id AND (p.to_us IS NULL OR p.to_us > :now)),
      (SELECT a.from_us || ' ' || coalesce(CAST(a.to_us AS text), '') FROM case_assignment a
        WHERE a.case_no = c.case_no AND a.user_id = :user_id AND (a.to_us IS NULL OR a.to_us > :now)))){text}
    FROM case_register c WHERE c.subject_id = s.value),
  {version}
FROM {asked}
"""
_SQLITE = {
    "text": "",
    "array": "json_array",
    "all": "json_group_array",
    "joined": "group_concat",
    "version": VERSION,
    "asked": "(SELECT value FROM json_each(:subjects)) AS s",  # it names no columns of a derived table
}
_POSTGRESQL = {
    "text": "::text",  # read once for all who are alike
    "array": "json_build_array",
    "all": "json_agg",
    "joined": "string_agg",
    "version": "NULL",
    "asked": "json_array_elements_text(CAST(:subjects AS json)) AS s(value)",
}


def facts_statement(*, is_sqlite: bool) -> sa.TextClause:
    """Whom it is about is `:subjects`, a JSON array; towards whom, `:user_id` and `:org_id`; `:now` in microseconds."""
    return sa.text(_STATEMENT.format(**(_SQLITE if is_sqlite else _POSTGRESQL)))


Said = tuple[Any, ...]
"""A row without its first column and its last: what is said of a person, not of whom, nor in which state of the tables."""


def known_at(said: Mapping[str, Said], now_us: int) -> tuple[dict[str, Known], int]:
    """What is known at `now_us`, which is not before the rows were read, and the first instant it may be otherwise.

    Of whom the same is said, one `Known` is made: those of one case, and all whom nobody knows.
    """
    spans = _Spans(now_us)
    alike: dict[Said, Known] = {}
    found = {}
    for subject, (seal, kind, own, orders, glass, unsealing, cases) in said.items():
        monitored = orders is not None and spans.any_holds(orders)
        place = (seal, kind, own, monitored, glass, unsealing, cases)
        known = alike.get(place)
        if known is None:
            known = alike[place] = _known(place, spans)
        found[subject] = known
    return found, spans.until


class _Spans:
    """Which spans hold at an instant; `until` is the first at which one of those looked at begins or ends."""

    __slots__ = ("now", "until")

    def __init__(self, now: int) -> None:
        self.now, self.until = now, FOREVER

    def holds(self, since: int, until: int | None) -> bool:
        """From `since` on, and before `until`."""
        now = self.now
        if since > now:
            self.turns(since)
            return False
        if until is None:
            return True
        if until < self.until and until > now:
            self.until = until
        return now < until

    def any_holds(self, joined: str) -> bool:
        """Each is its begin and its end, if it has one, with a space between. All are looked at."""
        held = False
        for span in joined.split(","):
            since, _, until = span.partition(" ")
            if self.holds(int(since), int(until) if until else None):
                held = True
        return held

    def turns(self, at: int | None) -> None:
        if at is not None and self.now < at < self.until:
            self.until = at


def _known(said: Said, spans: _Spans) -> Known:
    seal, kind, own, monitored, glass, unsealing, cases = said
    broken = None if glass is None else _json(glass)
    if broken is not None and not spans.holds(0, broken[0]):  # the last of all to end
        broken = None
    return Known(
        seal=Seal(seal or Seal.NONE),
        relationship=Relationship.SELF if own else Relationship(kind or Relationship.NONE),
        cases=[_case(case, spans) for case in _json(cases) or ()],
        orders=[case_no for case_no, since, until in _json(unsealing) or () if spans.holds(since, until)],
        monitoring_order=monitored,
        break_glass=broken[1] if broken is not None else None,
        break_glass_items=frozenset(orjson.loads(broken[2])) if broken is not None else frozenset(),
    )


def _case(case: Sequence[Any], spans: _Spans) -> CaseSeen:
    case_no, state, seal, minor, offence, visible_from_us, parts, assigned = case
    spans.turns(visible_from_us)
    return CaseSeen(
        case_no,
        state,
        Seal(seal),
        bool(minor),
        bool(offence),
        None if visible_from_us is None else from_us(visible_from_us),
        frozenset(Part(part) for part, _, span in _parted(parts) if spans.any_holds(span)),
        assigned is not None and spans.any_holds(assigned),
    )


def _parted(joined: str | None) -> Iterable[tuple[str, str, str]]:
    """Words joined by commas, each with its span. Text, for JSON within JSON costs SQLite a third more."""
    return [one.partition(" ") for one in joined.split(",")] if joined else ()


def _json(found: str | None) -> Any:
    return None if found is None else orjson.loads(found)
