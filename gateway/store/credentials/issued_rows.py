"""Rows of `credential`, read and written: what a batch's facts were lies under the person's own key."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from gateway.services.credentials.ports import CredentialState, Issued, Place
from gateway.store.credentials.offers import acting_of, acting_row
from gateway.store.encryption import Place as SealedPlace
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Sealed
from gateway.store.subject_keys.columns import PersonalColumns


def sealed_place(credential_id: str) -> SealedPlace:
    return SealedPlace("credential", "facts_ct", credential_id)


def notification_hash(notification_id: str) -> bytes:
    return hashlib.sha256(notification_id.encode()).digest()


def issued_row(one: Issued, sealed: Sealed, notification: bytes, next_check_at_us: int | None) -> dict[str, Any]:
    return acting_row(one.acting) | {
        "credential_id": one.credential_id, "batch_id": one.batch_id, "subject_id": one.subject_id,
        "configuration_id": one.configuration_id, "type_id": one.type_id, "offer_id": one.offer_id,
        "grant_id": one.grant_id, "kid": one.kid, "list_id": one.place.list_id, "idx": one.place.index,
        "jkt": one.jkt, "issued_at_us": to_us(one.issued_at), "valid_until_us": to_us(one.valid_until),
        "facts_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id,
        "facts_digest": one.facts_digest, "receipt_id": one.receipt_id, "state": one.state.value, "reason": one.reason,
        "state_at_us": to_us(one.state_at or one.issued_at), "notification_hash": notification, "stored": one.stored,
        "next_check_at_us": next_check_at_us,
    }  # fmt: skip


async def issued_of(row: sa.Row[Any], columns: PersonalColumns) -> Issued:
    """Raises CiphertextInvalid. Of an erased person: no subject, no facts."""
    subject_id, facts = row.subject_id or "", b""
    if row.facts_ct is not None and columns.ring.exists(subject_id):
        sealed = Sealed(row.facts_ct, row.key_id, row.alg_id)
        facts = await columns.unseal(subject_id, sealed_place(row.credential_id), sealed)
    return Issued(
        row.credential_id, row.batch_id, subject_id, row.configuration_id, row.type_id, acting_of(row), row.grant_id,
        row.offer_id, row.kid, Place(row.list_id, row.idx), row.jkt, from_us(row.issued_at_us),
        from_us(row.valid_until_us), facts, bytes(row.facts_digest), row.receipt_id, CredentialState(row.state),
        row.reason, from_us(row.state_at_us), row.stored,
    )  # fmt: skip
