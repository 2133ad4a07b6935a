"""Meters of clients: rate and budget in one atomic statement, counters, suspensions.

The rate is a generic cell rate algorithm: per client the instant until which its requests are spoken for. One request
moves it on by its share of a minute; it is refused where that would lie further ahead than the burst allows.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.client_limits import LONG_S, SPANS_S, Allowance, Counts, Refusal
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.keys import Keys
from gateway.store.tables import access_event
from gateway.store.tables.limits import client_meter, client_subject, client_suspension, client_window

_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000
_COUNTERS = ("requests", "limited", "denied", "hits", "misses")
_MOST_EVENTS = 1000  # whose ids an evidence pack lists; how many there were it says in any case


class StoredMeters:
    """Implements `gateway.services.client_limits.Meters`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock, allowance: Allowance) -> None:
        self._database, self._clock, self._allowance = database, clock, allowance
        self._tag_key = keys.derive("client-subject/tag/v1")
        self._greatest: Any = sa.func.max if database.is_sqlite else sa.func.greatest
        self._new_id = OrderedIds()
        self._furthest_us = 2 * max(_MINUTE_US, allowance.burst_s * _SECOND_US)
        self._admit = self._admission()  # built once: putting it together costs more than running it
        self._grow = self._growth()
        put = self._database.insert(client_subject).on_conflict_do_nothing()
        self._meet = put.returning(client_subject.c.span_s, client_subject.c.hit)

    async def spend(self, client_id: str, cost: int) -> Refusal | None:
        """See the port."""
        now_us = to_us(self._clock.now())
        async with self._database.write() as connection:
            if await connection.scalar(self._admit, {"id": client_id, "now": now_us, "cost": cost}) is not None:
                return None
            refusal = await self._why(connection, client_id, cost, now_us)
            limited = [self._row(client_id, span_s, now_us) | {"limited": 1} for span_s in SPANS_S]
            await connection.execute(self._grow, limited)
        return refusal

    def _admission(self) -> Any:
        """One conditional upsert; its row comes back where the request is admitted. Parameters: id, now, cost."""
        meter, usual = client_meter.c, self._allowance
        client_id = sa.bindparam("id", type_=sa.String)
        now, cost = (sa.bindparam(name, type_=sa.BigInteger) for name in ("now", "cost"))
        suspended = sa.exists().where(
            client_suspension.c.client_id == client_id, client_suspension.c.lifted_at_us.is_(None)
        )
        own = sa.select(meter.cost_per_minute).where(meter.client_id == client_id).scalar_subquery()
        minute = sa.literal(_MINUTE_US, sa.BigInteger)
        first = sa.select(
            client_id,
            now + minute // usual.requests_per_minute,
            now + minute * cost // usual.cost_per_minute,
        ).where(~suspended, cost <= sa.func.coalesce(own, usual.cost_per_minute))
        requests = sa.func.coalesce(meter.requests_per_minute, usual.requests_per_minute)
        costs = sa.func.coalesce(meter.cost_per_minute, usual.cost_per_minute)
        request_tat = self._spoken_for(meter.request_tat_us, now) + minute // requests
        cost_tat = self._spoken_for(meter.cost_tat_us, now) + minute * cost // costs
        put = self._database.insert(client_meter).from_select(["client_id", "request_tat_us", "cost_tat_us"], first)
        return put.on_conflict_do_update(
            index_elements=["client_id"],
            set_={"request_tat_us": request_tat, "cost_tat_us": cost_tat},
            where=sa.and_(request_tat - now <= usual.burst_s * _SECOND_US, cost_tat - now <= _MINUTE_US),
        ).returning(meter.client_id)

    def _spoken_for(self, held: Any, now: Any) -> Any:
        """What is admitted never reaches further ahead than this: an instant beyond was written by a clock that ran ahead,
        and a client must not stand still until ours has caught up."""
        return sa.case((held - now > self._furthest_us, now), else_=self._greatest(held, now))

    async def _why(self, connection: AsyncConnection, client_id: str, cost: int, now_us: int) -> Refusal:
        live = (client_suspension.c.client_id == client_id, client_suspension.c.lifted_at_us.is_(None))
        if await connection.scalar(sa.select(client_suspension.c.id).where(*live)) is not None:
            return Refusal("CLIENT_SUSPENDED")
        row = (
            await connection.execute(sa.select(client_meter).where(client_meter.c.client_id == client_id))
        ).one_or_none()
        if row is None:  # more than a whole minute's budget in one question
            return Refusal("BUDGET_SPENT", 60)
        usual = self._allowance
        each_us = _MINUTE_US // (row.requests_per_minute or usual.requests_per_minute)
        cost_us = _MINUTE_US * cost // (row.cost_per_minute or usual.cost_per_minute)
        request_tat_us, cost_tat_us = (
            now_us if held - now_us > self._furthest_us else max(held, now_us)
            for held in (row.request_tat_us, row.cost_tat_us)
        )
        rate_wait = request_tat_us + each_us - now_us - usual.burst_s * _SECOND_US
        cost_wait = cost_tat_us + cost_us - now_us - _MINUTE_US
        code = "RATE_LIMITED" if rate_wait >= cost_wait else "BUDGET_SPENT"
        return Refusal(code, max(1, -(-max(rate_wait, cost_wait) // _SECOND_US)))

    async def count(
        self, client_id: str, asked: Sequence[str], found: Sequence[str], *, denied: bool
    ) -> Sequence[Counts]:
        """See the port."""
        now_us = to_us(self._clock.now())
        hits = frozenset(found)
        rows = [
            {"client_id": client_id, "span_s": span_s, "start_us": _start(now_us, span_s), "hit": int(one in hits),
             "tag": self._tag(client_id, span_s, _start(now_us, span_s), one)}
            for span_s in SPANS_S
            for one in sorted({*asked, *hits})
        ]  # fmt: skip
        async with self._database.write() as connection:
            new = Counter[tuple[int, int]]()
            if rows:
                met = await connection.execute(self._meet, rows)
                new.update((row.span_s, row.hit) for row in met)
            grown = [
                self._row(client_id, span_s, now_us)
                | {"requests": 1, "denied": int(denied), "hits": new[span_s, 1], "misses": new[span_s, 0]}
                for span_s in SPANS_S
            ]
            await connection.execute(self._grow, grown)
            return await self._counts(connection, client_id, now_us)

    async def counts(self, client_id: str) -> Sequence[Counts]:
        """See the port."""
        async with self._database.read() as connection:
            return await self._counts(connection, client_id, to_us(self._clock.now()))

    async def suspend(self, client_id: str, org_id: str, rule: str, pack: Mapping[str, object]) -> str | None:
        """See the port."""
        now = self._clock.now()
        now_us = to_us(now)
        suspension_id = self._new_id(now_us)
        async with self._database.write() as connection:
            events = await self._events(connection, client_id, org_id, now_us)
            told = {"client_id": client_id, "org_id": org_id, "at": now.isoformat(), **pack, "events": events}
            row = {
                "id": suspension_id, "client_id": client_id, "org_id": org_id, "rule": rule, "at_us": now_us,
                "pack": orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode(), "done": False,
            }  # fmt: skip
            put = self._database.insert(client_suspension).values(row).on_conflict_do_nothing()
            if await connection.scalar(put.returning(client_suspension.c.id)) is None:
                return None
            change = Change("CLIENT_SUSPENDED", client_id, "", "", detail={"suspension": suspension_id, "rule": rule})
            await record_change(connection, now, change)
        return suspension_id

    async def unfinished(self, client_id: str) -> str | None:
        """See the port."""
        c = client_suspension.c
        query = sa.select(c.id).where(c.client_id == client_id, c.lifted_at_us.is_(None), c.done.is_(False))
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(query)
        return found

    async def finished(self, suspension_id: str) -> None:
        done = sa.update(client_suspension).where(client_suspension.c.id == suspension_id).values(done=True)
        async with self._database.write() as connection:
            await connection.execute(done)

    @staticmethod
    def _row(client_id: str, span_s: int, now_us: int) -> dict[str, Any]:
        key = {"client_id": client_id, "span_s": span_s, "start_us": _start(now_us, span_s), "last_at_us": now_us}
        return key | dict.fromkeys(_COUNTERS, 0)

    def _growth(self) -> Any:
        put = self._database.insert(client_window)
        grown = {name: client_window.c[name] + put.excluded[name] for name in _COUNTERS}
        return put.on_conflict_do_update(
            index_elements=["client_id", "span_s", "start_us"], set_=grown | {"last_at_us": put.excluded.last_at_us}
        )

    async def _counts(self, connection: AsyncConnection, client_id: str, now_us: int) -> Sequence[Counts]:
        """The running span whole, and of the one before the share that still lies within one span's length."""
        oldest = min(_start(now_us, span_s) - span_s * _SECOND_US for span_s in SPANS_S)
        query = sa.select(client_window).where(
            client_window.c.client_id == client_id, client_window.c.start_us >= oldest
        )
        rows = {(row.span_s, row.start_us): row for row in await connection.execute(query)}
        own = sa.select(client_meter.c.subjects_per_day).where(client_meter.c.client_id == client_id)
        subjects_per_day = await connection.scalar(own)
        found = []
        for span_s in SPANS_S:
            start_us, length_us = _start(now_us, span_s), span_s * _SECOND_US
            now_, before = rows.get((span_s, start_us)), rows.get((span_s, start_us - length_us))
            left = 1 - (now_us - start_us) / length_us
            sums = {
                name: (getattr(now_, name) if now_ else 0) + int((getattr(before, name) if before else 0) * left)
                for name in _COUNTERS
            }
            found.append(Counts(span_s=span_s, subjects_per_day=subjects_per_day, **sums))
        return found

    async def _events(self, connection: AsyncConnection, client_id: str, org_id: str, now_us: int) -> dict[str, Any]:
        """The client's events of the last day, newest first: opaque ids."""
        c = access_event.c
        mine = (c.actor_org == org_id, c.client_id == client_id, c.recorded_at_us > now_us - LONG_S * _SECOND_US)
        total, first_us, last_us = (
            await connection.execute(
                sa.select(sa.func.count(), sa.func.min(c.at_us), sa.func.max(c.at_us)).where(*mine)
            )
        ).one()
        ids = await connection.scalars(sa.select(c.id).where(*mine).order_by(c.id.desc()).limit(_MOST_EVENTS))
        return {
            "count": total,
            "first_at": None if first_us is None else from_us(first_us).isoformat(),
            "last_at": None if last_us is None else from_us(last_us).isoformat(),
            "ids": list(ids),
        }

    def _tag(self, client_id: str, span_s: int, start_us: int, subject_id: str) -> bytes:
        """Of no use beside another client's, or another span's."""
        message = f"{client_id}\0{span_s}\0{start_us}\0{subject_id}".encode()
        return hmac.digest(self._tag_key, message, "sha256")[:16]


def _start(now_us: int, span_s: int) -> int:
    return now_us - now_us % (span_s * _SECOND_US)
