"""What the authorization server need not remember any longer goes, in steps small enough to keep nobody waiting."""

from __future__ import annotations

import time
from datetime import timedelta

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.oauth import (
    oauth_code,
    oauth_grant,
    oauth_initial_token,
    oauth_pushed_request,
    oauth_refresh_token,
)

_EVERY_S = 300.0
_STEP, _STEPS = 500, 20
_KEPT = timedelta(days=1)


class OAuthPurge:
    """Codes and refresh tokens stay as long as their grant could live, used or not: a second use must be noticed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._done = time.monotonic()

    async def when_due(self) -> None:
        if time.monotonic() - self._done >= _EVERY_S:
            self._done = time.monotonic()
            await self()

    async def __call__(self) -> int:
        """How many rows went."""
        past_us = to_us(self._clock.now() - _KEPT)
        over = sa.select(oauth_grant.c.grant_id).where(oauth_grant.c.expires_at_us < past_us)
        gone = 0
        for table, old in (
            (oauth_pushed_request, oauth_pushed_request.c.expires_at_us < past_us),
            (oauth_initial_token, oauth_initial_token.c.expires_at_us < past_us),
            (oauth_code, oauth_code.c.grant_id.in_(over)),
            (oauth_refresh_token, oauth_refresh_token.c.grant_id.in_(over)),
            (oauth_grant, _bare(past_us)),
        ):
            (key,) = table.primary_key.columns
            step = sa.delete(table).where(key.in_(sa.select(key).where(old).limit(_STEP)))
            for _ in range(_STEPS):
                async with self._database.write() as connection:
                    done = (await connection.execute(step)).rowcount
                gone += done
                if done < _STEP:
                    break
        return gone


def _bare(past_us: int) -> sa.ColumnElement[bool]:
    """Grants that are over and have nothing left that names them."""
    return sa.and_(
        oauth_grant.c.expires_at_us < past_us,
        ~sa.exists().where(oauth_code.c.grant_id == oauth_grant.c.grant_id),
        ~sa.exists().where(oauth_refresh_token.c.grant_id == oauth_grant.c.grant_id),
    )
