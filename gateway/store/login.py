"""Everything logging in keeps, as one."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.keys import Keys
from gateway.store.login_accounts import StoredAccounts
from gateway.store.login_attempts import StoredAttempts
from gateway.store.login_sessions import StoredSessions, StoredSteps


@dataclass(frozen=True, slots=True)
class StoredLogin:
    accounts: StoredAccounts  # Accounts and Invitations
    sessions: StoredSessions
    steps: StoredSteps
    attempts: StoredAttempts


def stored_login(database: Database, keys: Keys, clock: Clock, *, demo: bool) -> StoredLogin:
    return StoredLogin(
        StoredAccounts(database, keys, clock),
        StoredSessions(database, clock, demo=demo),
        StoredSteps(database, keys, clock),
        StoredAttempts(database, keys, clock),
    )
