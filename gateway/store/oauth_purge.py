"""What the authorization server need not remember any longer goes."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from gateway.store.purging import Old, Purge
from gateway.store.tables.oauth import (
    oauth_code,
    oauth_grant,
    oauth_initial_token,
    oauth_pushed_request,
    oauth_refresh_token,
)


class OAuthPurge(Purge):
    """Codes and refresh tokens stay as long as their grant could live, used or not: a second use must be noticed."""

    def old(self, past_us: int) -> Iterable[Old]:
        over = sa.select(oauth_grant.c.grant_id).where(oauth_grant.c.expires_at_us < past_us)
        return (
            (oauth_pushed_request, oauth_pushed_request.c.expires_at_us < past_us),
            (oauth_initial_token, oauth_initial_token.c.expires_at_us < past_us),
            (oauth_code, oauth_code.c.grant_id.in_(over)),
            (oauth_refresh_token, oauth_refresh_token.c.grant_id.in_(over)),
            (oauth_grant, _bare(past_us)),
        )


def _bare(past_us: int) -> sa.ColumnElement[bool]:
    """Grants that are over and have nothing left that names them."""
    return sa.and_(
        oauth_grant.c.expires_at_us < past_us,
        ~sa.exists().where(oauth_code.c.grant_id == oauth_grant.c.grant_id),
        ~sa.exists().where(oauth_refresh_token.c.grant_id == oauth_grant.c.grant_id),
    )
