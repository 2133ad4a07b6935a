"""Composition root: from settings to a running application. The one place that knows which real thing stands where."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette

from adapters.egress_http import HttpEgress
from adapters.other_gateway import name_of
from adapters.registry import OpenSource
from gateway.bootstrap.admin import admin_pages
from gateway.bootstrap.authorization import Authorization, authorization
from gateway.bootstrap.credential_attesters import wallet_attestations
from gateway.bootstrap.credential_disputes import dispute_pages
from gateway.bootstrap.credential_haip import code_flow_tokens, wallet_pages
from gateway.bootstrap.credential_person import my_credentials
from gateway.bootstrap.credentials import CredentialHouse, Ground, credential_house
from gateway.bootstrap.giving_back import GivesBack, trim
from gateway.bootstrap.hearing import hearing
from gateway.bootstrap.ledger import KeptLedger, keeping
from gateway.bootstrap.ledger_pages import ledger_pages
from gateway.bootstrap.limits import client_limits, flood_evidence
from gateway.bootstrap.logging_in import open_login
from gateway.bootstrap.message_webhook import messages_of
from gateway.bootstrap.oauth_parts import OAuthParts, oauth_parts
from gateway.bootstrap.officer_pages import officer_pages
from gateway.bootstrap.persons import Persons, persons_of, working
from gateway.bootstrap.trace_export import open_tracing
from gateway.bootstrap.upstream_receipts import ONWARD_KEY
from gateway.bootstrap.watching import watch_pages, watching
from gateway.caller import Evidence, Messages
from gateway.clock import Clock, SystemClock
from gateway.errors import SettingsInvalid
from gateway.federation.cold import ColdWork
from gateway.policy.cedar import CedarPolicy
from gateway.policy.facts import Facts
from gateway.services.disputes.open_disputes import OpenDisputes
from gateway.services.event_bus import REVOKED, Events
from gateway.services.load_sources import SourceLoads
from gateway.services.observe import Observed
from gateway.services.onward import GoesAlong
from gateway.services.rules_in_force import RulesInForce
from gateway.services.run_query import RunQuery
from gateway.services.snapshots import Snapshots
from gateway.services.tracing import Tracing
from gateway.settings import Settings, environment
from gateway.store import Store, open_store
from gateway.store.facts import StoredFacts
from gateway.store.open_events import open_events
from gateway.web.app import build_app
from gateway.web.ledger_metrics import LedgerMetrics
from gateway.web.login_parts import LoginParts
from gateway.web.me_routes import person_routes
from gateway.web.metrics import PrometheusMetrics
from gateway.web.settings import WebSettings
from schema.limits import Limits

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that runs in one process, open."""

    settings: Settings
    store: Store
    snapshots: Snapshots
    execute: RunQuery
    metrics: PrometheusMetrics
    messages: Messages
    facts: Facts
    clock: Clock
    oauth: OAuthParts
    authorization: Authorization
    login: LoginParts
    persons: Persons
    evidence: Evidence  # where refusals of one's own are recorded: floods of them are counted
    ledger: KeptLedger
    credentials: CredentialHouse
    events: Events


def query_limits(settings: Settings) -> Limits:
    """What one question may be, from settings."""
    limits = settings.limits
    return replace(
        Limits(),
        depth=limits.depth,
        aliases=limits.aliases,
        root_fields=limits.root_fields,
        cost=limits.cost,
        assumed_sizes={"cases": 20, "offerCredential": 20},  # its default page; an offer writes and may send
    )


def web_settings(settings: Settings) -> WebSettings:
    limits = settings.limits
    return replace(
        WebSettings(),
        graphiql=settings.graphiql,
        body_bytes=limits.body_bytes,
        header_bytes=limits.header_bytes,
        json_depth=limits.json_depth,
        drain_s=settings.drain_s,
        connection_requests=1_000 if settings.processes > 1 else None,
        drain_announce_s=settings.drain_announce_s,
        allowed_hosts=allowed_hosts(settings),
        base_url=settings.base_url,
        client_certificate_header=settings.client_certificate_header,
    )


def allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """The names we are reached by: this machine's, the address we listen on, our public name, the operator's own."""
    given = (settings.allowed_hosts or "").split(",")
    own = [settings.host] if settings.host not in ("0.0.0.0", "::") else []  # noqa: S104  (compared, not listened on)
    hosts = [*WebSettings().allowed_hosts, *own, urlsplit(settings.public_url or "").hostname or "", *given]
    return tuple(dict.fromkeys(f"[{host}]" if ":" in host and host[0] != "[" else host for host in hosts if host))


def source_loads(
    settings: Settings,
    kept: Path,
    egress: HttpEgress,
    clock: Clock,
    environ: Mapping[str, str],
    metrics: PrometheusMetrics,
    tracing: Tracing,
    facts: Facts,
    rules: RulesInForce,
    trusted: Collection[str] = (),
) -> SourceLoads:
    def observed(source: OpenSource) -> OpenSource:
        return replace(source, source=Observed(source.source, source.manifest.code, metrics, tracing))

    return SourceLoads(
        settings.manifests_dir,
        egress,
        environ,
        kept,
        clock.now,
        query_limits(settings),
        settings.introspection,
        lambda rules: CedarPolicy(rules.register, rules, facts, clock),
        observed,
        rules,
        trusted,
        ColdWork(settings.limits.planning_ms_per_s),
    )


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    clock: Clock | None = None,
    tracing: Tracing | None = None,
    slot: int = 0,
    facts: Facts | None = None,
) -> AsyncIterator[Gateway]:
    """Everything opened, in the order it depends on one another; closed in the reverse order.

    `tracing` stands in for the one the settings ask for, `facts` for what the store knows of persons. `slot` is
    which worker this is: sources keep their own files for one process only.
    """
    clock = clock or SystemClock()
    trusted = trusted_documents(settings.trusted_documents_dir)
    metrics = PrometheusMetrics()
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(settings, clock)
        stack.push_async_callback(store.close)
        egress = HttpEgress()
        stack.push_async_callback(egress.close)
        ledger = await stack.enter_async_context(keeping(settings, store, egress, clock))
        metrics.add(LedgerMetrics(ledger.status, clock))
        if tracing is None:
            tracing = await stack.enter_async_context(open_tracing(settings, egress))
        rules = RulesInForce(store.policies)
        await rules.look()
        kept = settings.state_dir / (f"sources-{slot}" if slot else "sources")
        known = facts or stored_facts(store, clock)
        loads = source_loads(
            settings, kept, egress, clock, environment(), metrics, tracing, known, rules, tuple(trusted.values())
        )
        stamp = loads.version()
        snapshots = Snapshots(loads, await loads.load(), stamp)
        stack.push_async_callback(snapshots.close)
        metrics.in_force(snapshots.in_force)
        metrics.plans(lambda: snapshots.current.plans.counts)
        if settings.reload_poll_s > 0:
            for looking in (rules.watch(settings.reload_poll_s), snapshots.watch(settings.reload_poll_s)):
                stack.callback(asyncio.create_task(looking).cancel)
        await stack.enter_async_context(watching(settings, store, clock, metrics))
        evidence = await stack.enter_async_context(flood_evidence(store, clock))
        disputed = OpenDisputes(store.disputes)
        await stack.enter_async_context(disputed.watching())
        execute = RunQuery(
            snapshots,
            evidence=evidence,
            subjects=store.subjects,
            clock=clock,
            metrics=metrics,
            deadline_s=settings.limits.operation_deadline_s,
            batch_persons=settings.limits.batch_persons,
            trusted_documents=trusted,
            trusted_only=settings.trusted_documents_only,
            tracing=tracing,
            limits=client_limits(store, settings, clock),
            disputed=disputed,
            along=GoesAlong(name_of(settings.base_url), store.keys.derive(ONWARD_KEY)),
        )
        messages = messages_of(settings, store.inbox, egress, clock)
        parts = oauth_parts(settings, store, clock)
        login = await open_login(settings, store, egress, clock)
        house = await stack.enter_async_context(
            credential_house(
                Ground(
                    settings,
                    store,
                    snapshots,
                    execute,
                    evidence,
                    known,
                    messages,
                    egress,
                    ledger.seals,
                    parts,
                    clock,
                )
            )
        )
        server = authorization(
            store,
            clock,
            settings,
            parts,
            lambda: snapshots.current.snapshot.purposes,
            house.issuing.codes,
            code_flow_tokens(house, settings, clock),
            wallet_attestations(settings, store, clock),
        )
        persons = persons_of(
            settings,
            store,
            snapshots,
            clock,
            messages=messages,
            keys=parts.signing_keys,
            facts=known,
            seals=ledger.seals,
            hasten=house.hasten,
            listeners=(house.life.end,),
            my_credentials=my_credentials(house, snapshots, clock),
        )
        metrics.add(house.figures)
        house.showing.giving.through(persons.parts.consents)
        persons = replace(persons, handlers={**persons.handlers, **house.handlers})
        run_jobs = await stack.enter_async_context(working(persons, store, clock))
        events = await stack.enter_async_context(open_events(store.database))
        await stack.enter_async_context(
            hearing(
                events,
                rules=rules,
                snapshots=snapshots,
                disputed=disputed,
                signing_keys=parts.signing_keys,
                ledger_news=store.ledger_news,
                run_jobs=run_jobs,
            )
        )
        yield Gateway(
            settings,
            store,
            snapshots,
            execute,
            metrics,
            messages,
            known,
            clock,
            parts,
            server,
            login,
            persons,
            evidence,
            ledger,
            house,
            events,
        )


def stored_facts(store: Store, clock: Clock) -> Facts:
    """What policy decides on: cases, seals, relationships, orders and consents, from our own store only."""
    return StoredFacts(store.database, clock, store.live_consents)


def trusted_documents(directory: Path | None) -> Mapping[str, str]:
    """`sha256:<hex>` -> text of every *.graphql file. Raises SettingsInvalid for one that cannot be read."""
    if directory is None:
        return {}
    found: dict[str, str] = {}
    for path in sorted(directory.glob("*.graphql")):
        try:
            data = path.read_bytes()
            found["sha256:" + hashlib.sha256(data).hexdigest()] = data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid((f"trusted document {path.name}: {type(error).__name__}",)) from None
    return found


def application(gateway: Gateway) -> Starlette:
    """The HTTP face of an open gateway."""

    async def store() -> bool:
        await gateway.store.ping()
        return True

    web, authenticate = web_settings(gateway.settings), gateway.oauth.authenticate
    app = build_app(
        execute=gateway.execute,
        authenticate=authenticate,
        settings=web,
        checks={"store": store, "ledger": gateway.ledger.whole},
        metrics=gateway.metrics,
        pages=[
            *gateway.authorization.routes,
            *officer_pages(
                gateway.settings,
                gateway.store,
                gateway.snapshots,
                gateway.clock,
                gateway.oauth,
                gateway.authorization.authorize,
                gateway.login,
            ),
            *admin_pages(
                gateway.store,
                gateway.settings,
                web,
                authenticate,
                gateway.messages,
                gateway.facts,
                gateway.clock,
                gateway.evidence,
            ),
            *person_routes(gateway.persons.parts, authenticate, web.client_certificate_header),
            *ledger_pages(
                gateway.settings,
                gateway.store,
                gateway.snapshots,
                web,
                authenticate,
                gateway.persons.parts.desk,
                gateway.clock,
            ),
            *gateway.credentials.routes,
            *wallet_pages(
                gateway.credentials,
                gateway.authorization.authorize,
                gateway.persons,
                gateway.store,
                gateway.snapshots,
                gateway.clock,
            ),
            *gateway.credentials.showing.counter(gateway.login),
            *dispute_pages(
                gateway.store,
                gateway.settings,
                web,
                authenticate,
                gateway.persons.door,
                gateway.facts,
                gateway.evidence,
                gateway.clock,
                gateway.credentials.hasten,
            ),
            *watch_pages(
                gateway.store, gateway.snapshots, gateway.settings, web, authenticate, gateway.clock, gateway.evidence
            ),
        ],
    )
    gateway.events.subscribe(REVOKED, lambda _: app.state.gate.something_revoked())
    gateway.store.evidence.in_company_of(lambda: app.state.gate.at_work)
    app.state.gate.in_flight.calm = GivesBack(trim())
    return app
