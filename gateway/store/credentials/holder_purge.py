"""What wallets left behind and nothing can need any more goes."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from gateway.store.purging import Old, Purge
from gateway.store.tables.credentials import credential_deferred, credential_grant, credential_token


class HolderPurge(Purge):
    """Offers stay with their timelines, and credentials with their states: of those somebody answers for."""

    def old(self, past_us: int) -> Iterable[Old]:
        bare = sa.and_(
            credential_grant.c.created_at_us < past_us,
            ~sa.exists().where(credential_token.c.grant_id == credential_grant.c.grant_id),
        )
        return (
            (credential_token, credential_token.c.expires_at_us < past_us),
            (credential_deferred, credential_deferred.c.expires_at_us < past_us),
            (credential_grant, bare),
        )
