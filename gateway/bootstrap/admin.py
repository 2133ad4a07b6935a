"""Puts together what stands under /admin, and the demo's inbox page."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from gateway.bootstrap.identities import importer
from gateway.caller import Authenticator, Evidence, Messages
from gateway.clock import Clock
from gateway.policy.facts import Facts
from gateway.services.enrol_person import EnrolPerson
from gateway.services.import_by_caller import ImportByCaller
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.web.admin import AdminParts, admin_routes
from gateway.web.settings import WebSettings


def admin_pages(
    store: Store,
    settings: Settings,
    web: WebSettings,
    authenticate: Authenticator,
    messages: Messages,
    facts: Facts,
    clock: Clock,
    evidence: Evidence,
) -> Sequence[BaseRoute]:
    """For `build_app(pages=...)`. The inbox page is there only in a demo that sends its messages nowhere else."""
    alerts = StoredAlerts(store.database, clock)
    enrol = EnrolPerson(store.phones, store.subjects, store.subjects, messages, evidence, alerts, clock, facts)
    imports = ImportByCaller(importer(store, settings, clock), evidence, clock)
    inbox = store.inbox if settings.demo and messages is store.inbox else None
    return admin_routes(AdminParts(authenticate, web, imports, enrol, inbox))
