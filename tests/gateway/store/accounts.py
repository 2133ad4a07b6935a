"""Accounts of officers, straight into the table: for rules about whose an account is."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from gateway.store import Store
from gateway.store.encryption import Place
from gateway.store.tables.identities import officer, organisation


async def put_accounts(store: Store, accounts: Mapping[str, str | None], *, org_id: str = "agency") -> None:
    """user_id -> the subject of the officer's own ID number, or None where it is not on file."""
    (sealed,) = await store.keys.seal((Place("officer", "name_ct", "x"), b"x"))
    body = {
        "org_id": org_id, "name_zh": "x", "name_en": "x", "kind": "CORRECTION_AGENCY", "jurisdiction": "440604",
        "agency_keys": "[]", "purposes": "[]", "active": True, "updated_at_us": 0,
    }  # fmt: skip
    async with store.database.write() as connection:
        await connection.execute(sa.insert(organisation).values(body))
        for user_id, subject_id in accounts.items():
            row = {
                "user_id": user_id, "org_id": org_id, "login": f"{user_id}@here", "subject_id": subject_id, "roles": "[]",
                "name_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id, "active": True,
                "updated_at_us": 0,
            }  # fmt: skip
            await connection.execute(sa.insert(officer).values(row))
