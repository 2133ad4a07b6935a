"""Consents as decisions read them: live, with a use spent in the statement that reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
import structlog

from gateway.caller import Alert, Alerts, Caller, CallerKind, SharingDetail
from gateway.clock import Clock
from gateway.consent.consent import ENDS, ONE_TIME, ConsentState, civil_day
from gateway.consent.ports import ConsentInForce
from gateway.errors import GatewayError
from gateway.oauth.client import Client
from gateway.store.consents import ENDED, IN_FORCE
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables.consents import consent, consent_event, consent_use

_log = structlog.get_logger(__name__)
_USED_AFTER_END = frozenset({ConsentState.WITHDRAWN, ConsentState.EXPIRED}) & ENDS


@dataclass(frozen=True, slots=True)
class _Named:
    """What the token says of one consent: it may narrow, never widen."""

    items: frozenset[str]
    max_per_day: int | None


class StoredLiveConsents:
    """Implements `gateway.consent.ports.LiveConsents` and `gateway.oauth.ports.ConsentsAtIssue`."""

    def __init__(self, database: Database, clock: Clock, alerts: Alerts) -> None:
        self._database, self._clock, self._alerts = database, clock, alerts

    async def use(self, caller: Caller, purpose: str, subjects: Sequence[str]) -> Sequence[ConsentInForce | None]:
        """See the port. A consent is spent for a person once a call, however often the person is named."""
        now = self._clock.now()
        named = _named(caller, purpose, now)
        if not named or not subjects:
            return [None] * len(subjects)
        rows = await self._spend(caller, purpose, named, sorted(set(subjects)), now)
        found = {
            row.subject_id: ConsentInForce(row.consent_id, items, from_us(row.until_us))
            for row in rows
            if (items := frozenset(orjson.loads(row.items)) & named[row.consent_id].items)
        }
        if len(rows) < len(named):
            await self._note_ended(caller, sorted(named.keys() - {row.consent_id for row in rows}), now)
        return [found.get(subject) for subject in subjects]

    async def cover(self, client: Client, details: Sequence[SharingDetail]) -> Sequence[datetime | None]:
        """See the port."""
        now = self._clock.now()
        asked = sorted({detail.consent_id for detail in details if detail.consent_id})
        if not asked or client.kind is not CallerKind.PARTNER:
            return [None] * len(details)
        query = IN_FORCE.where(
            consent.c.consent_id.in_(asked), consent.c.client_id == client.client_id, *_now(to_us(now))
        )
        async with self._database.read() as connection:
            rows = {row.consent_id: row for row in (await connection.execute(query)).all()}
        return [_covers(rows.get(detail.consent_id), detail, client) for detail in details]

    async def note_dead_token(self, caller: Caller) -> None:
        """A token that was turned away at the door: where a consent it rests on has ended, that is a use after the end."""
        named = sorted({detail.consent_id for detail in caller.details if detail.consent_id})
        if caller.kind is CallerKind.PARTNER and named:
            await self._note_ended(caller, named, self._clock.now())

    async def _spend(
        self, caller: Caller, purpose: str, named: dict[str, _Named], subjects: Sequence[str], now: datetime
    ) -> Sequence[Any]:
        """One statement: what is in force and still has a use is counted up and returned, and nothing else.

        The token's own daily limit is stricter at most: the count is shared by all tokens of a consent.
        """
        once = consent.c.mode == ONE_TIME
        limits = {key: one.max_per_day for key, one in named.items() if one.max_per_day is not None}
        stricter = [
            (sa.and_(consent.c.consent_id == key, consent.c.max_per_day > most), most)
            for key, most in sorted(limits.items())
        ]
        allowed = sa.case(*stricter, else_=consent.c.max_per_day) if stricter else consent.c.max_per_day
        source = (
            IN_FORCE.where(
                consent.c.consent_id.in_(sorted(named)),
                consent.c.client_id == caller.client_id,
                consent.c.org_id == caller.org_id,
                consent.c.purpose == purpose,
                consent.c.subject_id.in_(subjects),
                *_now(to_us(now)),
            )
            .order_by(consent.c.consent_id)  # two calls over the same consents lock them in one order
            .with_only_columns(
                consent.c.consent_id,
                sa.case((once, 0), else_=civil_day(now)),
                sa.literal(1),
                allowed,
                sa.literal(to_us(now), sa.BigInteger),
            )
        )
        add = self._database.insert(consent_use).from_select(
            ["consent_id", "day", "uses", "allowed", "last_us"], source
        )
        spend = add.on_conflict_do_update(
            index_elements=["consent_id", "day"],
            set_={"uses": consent_use.c.uses + 1, "last_us": to_us(now)},
            where=consent_use.c.uses < add.excluded.allowed,
        ).returning(consent_use.c.consent_id)
        async with self._database.write() as connection:
            spent = [row.consent_id for row in (await connection.execute(spend)).all()]
            if not spent:
                return ()
            # Terms never change, so reading them beside the one statement that decided adds no second opinion.
            rows = await connection.execute(sa.select(consent).where(consent.c.consent_id.in_(spent)))
            return rows.all()

    async def _note_ended(self, caller: Caller, consent_ids: Sequence[str], now: datetime) -> None:
        """A consent the token names, ended by the person or by time, was used: the partner's and the data protection
        officer's matter, never the supervising body's. Superseded ones are no misuse, and the alert names no person.
        """
        query = (
            sa.select(consent.c.consent_id, consent.c.until_us, consent_event.c.state)
            .outerjoin(
                consent_event,
                sa.and_(consent_event.c.consent_id == consent.c.consent_id, consent_event.c.seq == ENDED),
            )
            .where(consent.c.consent_id.in_(consent_ids), consent.c.client_id == caller.client_id)
        )
        try:
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                state = ConsentState(row.state) if row.state else None
                if state in _USED_AFTER_END or (state is None and row.until_us <= to_us(now)):
                    detail = {"consent_id": row.consent_id, "ended": (state or ConsentState.EXPIRED).value}
                    await self._alerts.raise_alert(
                        Alert(
                            "A16_CONSENT_USED_AFTER_END",
                            "S1",
                            "PARTNER",
                            caller.client_id,
                            caller.org_id,
                            detail=detail,
                        )
                    )
        except GatewayError as error:  # the refusal stands without it
            _log.error("alert_lost", type="A16_CONSENT_USED_AFTER_END", reason=type(error).__name__)


def _named(caller: Caller, purpose: str, now: datetime) -> dict[str, _Named]:
    """The consents this token may speak of for `purpose`. Only a partner's token; never one that names no fields."""
    found: dict[str, _Named] = {}
    for detail in caller.details if caller.kind is CallerKind.PARTNER else ():
        if not detail.consent_id or not detail.datatypes or detail.purpose != purpose:
            continue
        if detail.until is not None and detail.until <= now:
            continue
        held = found.get(detail.consent_id)
        items = detail.datatypes | (held.items if held else frozenset())
        limits = [most for most in (detail.max_per_day, held.max_per_day if held else None) if most is not None]
        found[detail.consent_id] = _Named(items, min(limits, default=None))
    return found


def _now(now_us: int) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return consent.c.from_us <= now_us, consent.c.until_us > now_us


def _covers(row: Any, detail: SharingDetail, client: Client) -> datetime | None:
    if row is None or row.org_id != client.org_id or row.purpose != detail.purpose or not detail.datatypes:
        return None
    if not detail.datatypes <= frozenset(orjson.loads(row.items)):
        return None
    return from_us(row.until_us)
