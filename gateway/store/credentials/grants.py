"""Tokens of wallets and the grants behind them; and how an offer's code becomes one, once."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.credentials.offer_codes import OfferCodes
from gateway.services.credentials.ports import Acting, CodeRefused, HolderGrant, NewToken, OfferState
from gateway.store.changes import record_change
from gateway.store.credentials.holder_purge import HolderPurge
from gateway.store.credentials.offers import acting_of, acting_row, note_within
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.oauth_secrets import kept
from gateway.store.tables.credentials import credential_grant, credential_offer, credential_token

_WALLET = "wallet"
"""Who redeems: whoever holds the link, so nobody by name."""
_ENDED = (
    "(SELECT {all}(DISTINCT c.configuration_id{comma}) FROM credential c WHERE c.grant_id = g.grant_id"
    " AND c.state = 'REVOKED' AND c.reason NOT IN ('FACT_CHANGED', 'NO_GROUND', 'KEY_COMPROMISED'))"
)
"""What somebody ended, by whatever reason an officer gives, or has elsewhere by now: a wallet that still holds its token must
not bring it back. What ended by itself (its fact changed) may be asked for again, for the facts are looked at again."""
_COLUMNS = (
    "grant_id", "subject_id", "offer_id", "configuration_ids", "identifiers", "client_id", "jkt", "org_id", "org_kind",
    "jurisdiction", "case_no",
)  # fmt: skip
_FOUND = (*_COLUMNS, "ended", "expires_at_us")


def _finding(is_sqlite: bool, expires: str, which: str) -> sa.TextClause:
    ended = _ENDED.format(all="group_concat", comma="") if is_sqlite else _ENDED.format(all="string_agg", comma=", ','")
    return sa.text(f"SELECT {', '.join(f'g.{one}' for one in _COLUMNS)}, {ended}, {expires} FROM {which}")  # noqa: S608  (ours)


_BY_TOKEN = (
    "t.expires_at_us",
    "credential_token t JOIN credential_grant g ON g.grant_id = t.grant_id"
    " WHERE t.token_hash = :token_hash AND t.expires_at_us > :now_us AND g.revoked_at_us IS NULL",
)
_BY_ID = ("NULL", "credential_grant g WHERE g.grant_id = :grant_id AND g.revoked_at_us IS NULL")


class StoredHolderGrants:
    """Implements `gateway.services.credentials.ports.HolderGrants`."""

    def __init__(self, database: Database, codes: OfferCodes, clock: Clock, *, tries: int) -> None:
        """`tries`: wrong transaction codes after which an offer is burnt."""
        self._database, self._codes, self._clock, self._tries = database, codes, clock, tries
        self._purge = HolderPurge(database, clock)
        self._by_token, self._by_id = (_finding(database.is_sqlite, *which) for which in (_BY_TOKEN, _BY_ID))

    async def redeem(self, code: str, tx_code: str | None, new: NewToken) -> HolderGrant | CodeRefused:
        """See the port. Guesses at one offer take turns: its row is locked, so not one is looked at beyond those allowed."""
        now = self._clock.now()
        which = credential_offer.c.code_hash == kept(code)
        async with self._database.write() as connection:
            row = (await connection.execute(sa.select(credential_offer).where(which).with_for_update())).one_or_none()
            if row is None or row.state != OfferState.OPEN.value or row.expires_at_us <= to_us(now):
                return CodeRefused.UNKNOWN
            refused = await self._tx_code(connection, row, tx_code, now)
            if refused is not None:
                return refused
            offered: list[str] = orjson.loads(row.configuration_ids)
            wanted = tuple(offered) if new.wanted is None else new.wanted
            if not wanted or not set(wanted) <= set(offered):
                return CodeRefused.NOT_OFFERED
            spend = (
                sa.update(credential_offer)
                .where(credential_offer.c.offer_id == row.offer_id, credential_offer.c.state == OfferState.OPEN.value)
                .values(state=OfferState.REDEEMED.value, redeemed_at_us=to_us(now))
            )
            if not (await connection.execute(spend)).rowcount:
                return CodeRefused.UNKNOWN
            grant = HolderGrant(
                new.grant_id, row.subject_id, acting_of(row), wanted, _identifiers(wanted) if new.identified else {},
                row.offer_id, new.client_id, new.jkt, new.expires_at,
            )  # fmt: skip
            await self._keep(connection, grant, new, now)
            await note_within(connection, row.offer_id, "REDEEMED", now)
            detail = {"types": list(wanted)}
            change = Change("CREDENTIAL_OFFER_REDEEMED", row.offer_id, row.org_id, _WALLET, row.subject_id, detail)
            await record_change(connection, now, change)
        await self._purge.when_due()
        return grant

    async def offered(self, code: str) -> bool:
        """See the port."""
        open_ = credential_offer.c.code_hash == kept(code), credential_offer.c.state == OfferState.OPEN.value
        async with self._database.read() as connection:
            return await connection.scalar(sa.select(credential_offer.c.offer_id).where(*open_)) is not None

    async def grant(self, grant: HolderGrant, new: NewToken) -> bool:
        """See the port."""
        now = self._clock.now()
        async with self._database.write() as connection:
            if grant.offer_id is not None and not await self._spend(connection, grant, now):
                return False
            await self._keep(connection, grant, new, now)
            change = Change(
                "CREDENTIAL_GRANTED", grant.grant_id, grant.acting.org_id, _WALLET, grant.subject_id,
                {"types": list(grant.configuration_ids), "client_id": grant.client_id},
            )  # fmt: skip
            await record_change(connection, now, change)
        await self._purge.when_due()
        return True

    @staticmethod
    async def _spend(connection: AsyncConnection, grant: HolderGrant, now: datetime) -> bool:
        """The offer behind a grant of the code flow, by one conditional update."""
        spend = (
            sa.update(credential_offer)
            .where(
                credential_offer.c.offer_id == grant.offer_id,
                credential_offer.c.subject_id == grant.subject_id,
                credential_offer.c.state == OfferState.OPEN.value,
            )
            .values(state=OfferState.REDEEMED.value, redeemed_at_us=to_us(now))
        )
        if not (await connection.execute(spend)).rowcount:
            return False
        await note_within(connection, str(grant.offer_id), "REDEEMED", now)
        return True

    async def find(self, token: str) -> HolderGrant | None:
        """See the port."""
        asked = {"token_hash": kept(token), "now_us": to_us(self._clock.now())}
        rows = await self._database.rows(self._by_token, asked)
        return _grant(dict(zip(_FOUND, rows[0], strict=True))) if rows else None

    async def by_id(self, grant_id: str) -> HolderGrant | None:
        """For what is done in the background for whoever holds a token of it; None where it is revoked."""
        rows = await self._database.rows(self._by_id, {"grant_id": grant_id})
        return _grant(dict(zip(_FOUND, rows[0], strict=True))) if rows else None

    async def extend(self, grant_id: str, until: datetime) -> None:
        """See the port. Never shortens."""
        until_us = to_us(until)
        longer = sa.update(credential_token).where(
            credential_token.c.grant_id == grant_id,
            credential_token.c.expires_at_us > to_us(self._clock.now()),
            credential_token.c.expires_at_us < until_us,
        )
        async with self._database.write() as connection:
            await connection.execute(longer.values(expires_at_us=until_us))

    async def revoke(self, grant_id: str) -> None:
        """See the port; again is no error."""
        now = self._clock.now()
        end = (
            sa.update(credential_grant)
            .where(credential_grant.c.grant_id == grant_id, credential_grant.c.revoked_at_us.is_(None))
            .values(revoked_at_us=to_us(now))
            .returning(credential_grant.c.org_id, credential_grant.c.subject_id)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(end)).one_or_none()
            if row is not None:
                change = Change("CREDENTIAL_GRANT_ENDED", grant_id, row.org_id, "yimen", row.subject_id)
                await record_change(connection, now, change)

    async def _tx_code(
        self, connection: AsyncConnection, row: sa.Row[Any], tx_code: str | None, now: datetime
    ) -> CodeRefused | None:
        if row.tx_hash is None:
            return None if tx_code is None else CodeRefused.TX_CODE_UNEXPECTED
        if tx_code is None:
            return CodeRefused.TX_CODE_MISSING
        if hmac.compare_digest(self._codes.tx_hash(row.offer_id, tx_code), bytes(row.tx_hash)):
            return None
        tries = row.tx_tries + 1
        burnt = tries >= self._tries
        state = (OfferState.BURNT if burnt else OfferState.OPEN).value
        count = sa.update(credential_offer).where(credential_offer.c.offer_id == row.offer_id)
        await connection.execute(count.values(tx_tries=tries, state=state))
        await note_within(connection, row.offer_id, "CODE_WRONG", now)
        if burnt:
            await note_within(connection, row.offer_id, "BURNT", now)
            change = Change("CREDENTIAL_OFFER_BURNT", row.offer_id, row.org_id, _WALLET, row.subject_id)
            await record_change(connection, now, change)
        return CodeRefused.TX_CODE_WRONG

    @staticmethod
    async def _keep(connection: AsyncConnection, grant: HolderGrant, new: NewToken, now: datetime) -> None:
        row = acting_row(grant.acting) | {
            "grant_id": grant.grant_id, "subject_id": grant.subject_id, "offer_id": grant.offer_id,
            "configuration_ids": _json(list(grant.configuration_ids)), "identifiers": _json(dict(grant.identifiers)),
            "client_id": grant.client_id, "jkt": grant.jkt, "created_at_us": to_us(now), "revoked_at_us": None,
        }  # fmt: skip
        token = {"token_hash": kept(new.token), "grant_id": grant.grant_id, "expires_at_us": to_us(new.expires_at)}
        await connection.execute(sa.insert(credential_grant).values(row))
        await connection.execute(sa.insert(credential_token).values(token))


def _identifiers(configuration_ids: Sequence[str]) -> dict[str, str]:
    """A fresh credential_identifier for each configuration; it means nothing outside its grant."""
    return {secrets.token_urlsafe(12): one for one in configuration_ids}


def _grant(row: Mapping[str, Any]) -> HolderGrant:
    return HolderGrant(
        row["grant_id"], row["subject_id"],
        Acting(row["org_id"], row["org_kind"], row["jurisdiction"], row["case_no"]), tuple(orjson.loads(row["configuration_ids"])),
        orjson.loads(row["identifiers"]), row["offer_id"], row["client_id"], row["jkt"],
        None if row["expires_at_us"] is None else from_us(row["expires_at_us"]),
        frozenset((row["ended"] or "").split(",")) - {""},
    )  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
