"""Every table, once: `metadata` holds them all when this package is imported."""

from __future__ import annotations

from gateway.store.tables import (
    case_facts,
    consents,
    credentials,
    fact_version,
    identities,
    ledger,
    limits,
    login,
    oauth,
    oauth_keys,
    policies,
    subject_keys,
    upstream,
)
from gateway.store.tables.base import (
    access_event,
    access_event_pending,
    access_event_subject,
    alert,
    change_event,
    data_key,
    heartbeat,
    job,
    metadata,
    subject,
)

__all__ = [
    "access_event",
    "access_event_pending",
    "access_event_subject",
    "alert",
    "case_facts",
    "change_event",
    "consents",
    "credentials",
    "data_key",
    "fact_version",
    "heartbeat",
    "identities",
    "job",
    "ledger",
    "limits",
    "login",
    "metadata",
    "oauth",
    "oauth_keys",
    "policies",
    "subject",
    "subject_keys",
    "upstream",
]
