"""Every URL under /me, and those beside it: partners who ask, and those who read the log."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import BaseRoute, Route

from gateway.caller import Authenticator
from gateway.services.access_history import PersonHistory, ReadOfficerLog
from gateway.services.ask_consent import AskConsent
from gateway.services.credentials.my_credentials import MyCredentials
from gateway.services.disputes.my_disputes import MyDisputes
from gateway.services.give_consent import MyConsents
from gateway.web import me_door
from gateway.web.access_events_api import AccessEvents
from gateway.web.consents_api import ConsentRequests, ConsentRequestState
from gateway.web.history import HistoryPages
from gateway.web.me_consents import ConsentPages
from gateway.web.me_credentials import CredentialPages
from gateway.web.me_disputes import DisputePages
from gateway.web.me_visit import Answer, Desk, PersonPage
from gateway.web.token_door import token_door


@dataclass(frozen=True, slots=True)
class PersonParts:
    """What a person's pages are made of, and what partners and supervisors call."""

    desk: Desk
    consents: MyConsents
    history: PersonHistory
    ask: AskConsent
    officer_log: ReadOfficerLog
    disputes: MyDisputes
    credentials: MyCredentials | None = None  # where no credentials are issued, there is no page of them


def person_routes(
    parts: PersonParts, authenticate: Authenticator, client_certificate_header: str | None = None
) -> list[BaseRoute]:
    """`authenticate`: for the tokens of partners and supervisors."""
    consents, history = ConsentPages(parts.consents), HistoryPages(parts.history)
    disputes = DisputePages(parts.disputes)
    pages: list[tuple[str, str, str, Answer]] = [
        ("GET", "/me", "me", me_door.home),
        ("POST", "/me/link", "me ask for link", me_door.ask_for_link),
        ("GET", "/me/sent", "me link sent", me_door.sent),
        ("GET", "/me/l/{token}", "me link", me_door.link),
        ("POST", "/me/l/{token}/code", "me send code", me_door.send_code),
        ("POST", "/me/l/{token}/open", "me open", me_door.open_link),
        ("POST", "/me/leave", "me leave", me_door.leave),
        ("GET", "/me/consents", "me consents", consents.all),
        ("GET", "/me/consents/{consent_id}", "me consent", consents.one),
        ("POST", "/me/consents/{consent_id}/give", "me give", consents.give),
        ("POST", "/me/consents/{consent_id}/refuse", "me refuse", consents.refuse),
        ("POST", "/me/consents/{consent_id}/withdraw", "me withdraw", consents.withdraw),
        ("GET", "/me/consents/{consent_id}/receipt", "me receipt", consents.receipt),
        ("GET", "/me/history", "me history", history.page),
        ("GET", "/me/history.json", "me history export", history.export),
        ("GET", "/me/disputes", "me disputes", disputes.all),
        ("GET", "/me/disputes/new", "me new dispute", disputes.form),
        ("POST", "/me/disputes", "me dispute", disputes.open),
        ("POST", "/me/disputes/{dispute_id}/withdraw", "me withdraw dispute", disputes.withdraw),
    ]
    if parts.credentials is not None:
        documents = CredentialPages(parts.credentials)
        pages += [
            ("GET", "/me/credentials", "me credentials", documents.all),
            ("POST", "/me/credentials/{batch_id}/again", "me credential again", documents.again),
            ("POST", "/me/credentials/{batch_id}/end", "me credential end", documents.end),
        ]
    admit = token_door(authenticate, parts.desk.guard.base_url, client_certificate_header)
    programs: list[BaseRoute] = [
        Route("/consents/requests", ConsentRequests(parts.ask, admit), methods=["POST"], name="ask consent"),
        Route(
            "/consents/requests/{request_id}",
            ConsentRequestState(parts.ask, admit),
            methods=["GET"],
            name="consent request",
        ),
        Route("/admin/access-events", AccessEvents(parts.officer_log, admit), methods=["GET"], name="access events"),
    ]
    return programs + [
        Route(path, PersonPage(parts.desk, answer), methods=[method], name=name) for method, path, name, answer in pages
    ]
