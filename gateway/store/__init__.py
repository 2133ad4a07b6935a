"""The only SQLAlchemy; implements every port, on SQLite and PostgreSQL."""

from __future__ import annotations

from gateway.store.errors import CiphertextInvalid, StoreRefused, StoreUnavailable, SubjectUnknown, TokensRefused
from gateway.store.migrate import HEAD, Migrated
from gateway.store.store import Store, migrate_store, open_store, store_revision
from gateway.store.subjects import Personal

__all__ = [
    "HEAD",
    "CiphertextInvalid",
    "Migrated",
    "Personal",
    "Store",
    "StoreRefused",
    "StoreUnavailable",
    "SubjectUnknown",
    "TokensRefused",
    "migrate_store",
    "open_store",
    "store_revision",
]
