"""Everything the gateway keeps, opened and closed as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.services.erase_person import ErasePerson
from gateway.settings import Settings
from gateway.store.access_log import StoredAccessLog
from gateway.store.alerts import StoredAlerts
from gateway.store.case_facts import StoredCases
from gateway.store.changes import record_change
from gateway.store.consent_use import StoredLiveConsents
from gateway.store.consents import StoredConsents
from gateway.store.credentials.disputes import StoredDisputes
from gateway.store.credentials.keeping import KeepingJournal, KeepTogether
from gateway.store.credentials.sqlite_keeping import SqliteKeeping
from gateway.store.door import DoorJournal, StoredDoor
from gateway.store.engine import Database, check_durable, no_file_yet, open_database
from gateway.store.erasures import StoredErasures
from gateway.store.errors import StoreRefused
from gateway.store.evidence import EventJournal, StoredEvidence
from gateway.store.health import Health
from gateway.store.identities import StoredIdentities
from gateway.store.identity_changes import StoredIdentityChanges
from gateway.store.inbox import StoredInbox
from gateway.store.jobs import StoredJobs
from gateway.store.keys import Keys, open_keys
from gateway.store.ledger.log import StoredLog
from gateway.store.ledger.reader import StoredLedgerReader
from gateway.store.login import StoredLogin, stored_login
from gateway.store.migrate import Migrated, migrate, revision
from gateway.store.oauth_clients import StoredClients
from gateway.store.oauth_counter import CounterJournal, SqliteCounter, StoredCounter
from gateway.store.oauth_grants import StoredGrants
from gateway.store.oauth_keys import StoredSigningKeys
from gateway.store.oauth_pushed import StoredPushedRequests
from gateway.store.oauth_registrations import StoredRegistrations
from gateway.store.person_access import StoredPersonAccess
from gateway.store.phones import StoredPhones
from gateway.store.policies import StoredPolicies
from gateway.store.recording.openings import Openings
from gateway.store.recording.outbox import Outbox
from gateway.store.replay import StoredReplays
from gateway.store.revocations import StoredRevocations
from gateway.store.sqlite_door import SqliteDoor
from gateway.store.sqlite_journal import SqliteJournal
from gateway.store.subject_keys.stored import StoredSubjectKeys, open_subject_keys
from gateway.store.subjects import StoredSubjects


@dataclass(frozen=True, slots=True)
class Store:
    """The implementations of the ports, over one database. Belongs to the event loop it was opened in."""

    database: Database
    keys: Keys
    subjects: StoredSubjects
    subject_keys: StoredSubjectKeys
    ledger_news: asyncio.Event
    openings: Openings
    evidence: StoredEvidence
    jobs: StoredJobs
    health: Health
    identities: StoredIdentities
    identity_changes: StoredIdentityChanges
    phones: StoredPhones
    inbox: StoredInbox
    cases: StoredCases
    policies: StoredPolicies
    replays: StoredReplays
    door: StoredDoor
    revocations: StoredRevocations
    signing_keys: StoredSigningKeys
    clients: StoredClients
    counter: StoredCounter
    pushed: StoredPushedRequests
    grants: StoredGrants
    registrations: StoredRegistrations
    login: StoredLogin
    consents: StoredConsents
    live_consents: StoredLiveConsents
    person_access: StoredPersonAccess
    disputes: StoredDisputes
    keep_credentials: KeepTogether
    erasures: StoredErasures
    access_log: StoredAccessLog
    ledger: StoredLedgerReader
    log: StoredLog

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the store takes writes now."""
        await self.health.ping()

    async def close(self) -> None:
        """What was accepted is written first."""
        await self.keep_credentials.close()
        await self.counter.close()
        await self.door.close()
        await self.evidence.close()
        await self.log.close()
        await self.subject_keys.close()
        await self.database.close()


async def open_store(settings: Settings, clock: Clock) -> Store:
    """Migrates where needed. Raises StoreUnavailable, or StoreRefused for a database that must not be used."""
    if settings.master_key is None:
        raise StoreRefused("there is no master key")
    database = open_database(settings)
    subject_keys: StoredSubjectKeys | None = None
    try:
        await check_durable(database)
        await migrate(database)
        journal = _journal(database)
        keys = await open_keys(database, settings.master_key, clock, previous_master_key=settings.previous_master_key)
        subject_keys = await open_subject_keys(settings, database, keys, clock)
        subjects = StoredSubjects(database, keys, subject_keys.ring, clock)
        outbox = Outbox(
            subject_keys.ring, keys.derive("ledger/seed/v1"), subjects.pid, alert_delay_s=settings.ledger_alert_delay_s
        )
        database.ledger = outbox
        erasures = StoredErasures(database, keys, subject_keys, subjects.pid)
        await ErasePerson(erasures, clock).finish_all()  # what a crash left half done
        replays = StoredReplays(database, clock)
        door = StoredDoor(_door_journal(database), replays, timeout_s=settings.database_timeout_s)
        return Store(
            database=database,
            keys=keys,
            subjects=subjects,
            subject_keys=subject_keys,
            ledger_news=database.ledger_news,
            openings=Openings(database, outbox),
            evidence=StoredEvidence(
                journal, outbox, database.ledger_news, clock, timeout_s=settings.database_timeout_s, door=door
            ),
            jobs=StoredJobs(database, clock),
            health=Health(database, clock),
            identities=StoredIdentities(database, keys, clock),
            identity_changes=StoredIdentityChanges(database, keys, clock),
            phones=StoredPhones(database, keys, subject_keys.ring, clock),
            inbox=StoredInbox(database, keys, clock, demo=settings.demo),
            cases=StoredCases(database, clock),
            policies=StoredPolicies(database, clock),
            replays=replays,
            door=door,
            revocations=StoredRevocations(database, clock),
            signing_keys=StoredSigningKeys(database, keys, clock),
            clients=StoredClients(database, clock),
            counter=StoredCounter(_counter_journal(database), StoredClients(database, clock), replays, clock),
            pushed=StoredPushedRequests(database, clock),
            grants=StoredGrants(database, clock),
            registrations=StoredRegistrations(database, StoredClients(database, clock), clock),
            login=stored_login(database, keys, clock, demo=settings.demo),
            consents=StoredConsents(database, keys, clock),
            live_consents=StoredLiveConsents(database, clock, StoredAlerts(database, clock)),
            person_access=StoredPersonAccess(database, keys, clock),
            disputes=StoredDisputes(database, keys, subject_keys.ring, clock),
            keep_credentials=KeepTogether(_keeping_journal(database), database.ledger_news),
            erasures=erasures,
            access_log=StoredAccessLog(database, clock),
            ledger=StoredLedgerReader(database),
            log=StoredLog(
                database,
                keys,
                clock,
                StoredAlerts(database, clock).raise_within,
                record_change,
                longest_delay_s=settings.ledger_alert_delay_s,
            ),
        )
    except BaseException:
        if subject_keys is not None:
            await subject_keys.close()
        await database.close()
        raise


def _door_journal(database: Database) -> DoorJournal:
    if database.is_sqlite:
        return SqliteDoor(database)
    from gateway.store.postgres_door import PostgresDoor  # as below

    return PostgresDoor(database)


def _counter_journal(database: Database) -> CounterJournal:
    if database.is_sqlite:
        return SqliteCounter(database)
    from gateway.store.postgres_counter import PostgresCounter  # as below

    return PostgresCounter(database)


def _keeping_journal(database: Database) -> KeepingJournal:
    if database.is_sqlite:
        return SqliteKeeping(database)
    from gateway.store.credentials.postgres_keeping import PostgresKeeping  # as below

    return PostgresKeeping(database)


def _journal(database: Database) -> EventJournal:
    if database.is_sqlite:
        journal = SqliteJournal(database)
        database.sorting = journal
        return journal
    from gateway.store.postgres_journal import PostgresJournal  # only here: psycopg costs memory where it is not used

    return PostgresJournal(database)


async def migrate_store(settings: Settings) -> Migrated:
    """The command: migrate and open nothing else."""
    database = open_database(settings)
    try:
        return await migrate(database)
    finally:
        await database.close()


async def store_revision(settings: Settings) -> str | None:
    """The database's revision, None where it is empty. Asking makes no file."""
    if no_file_yet(settings):
        return None
    database = open_database(settings)
    try:
        return await revision(database)
    finally:
        await database.close()
