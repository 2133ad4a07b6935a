"""Logging in, put together: passwords, factors, sessions, providers; and the command that invites an officer."""

from __future__ import annotations

from collections.abc import Callable

from adapters.egress import Egress
from gateway.bootstrap.database import opened_store
from gateway.clock import Clock, SystemClock
from gateway.errors import RequestRefused
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.terms import terms_for
from gateway.policy.purposes import PurposeRegister
from gateway.services.authorize import AuthorizationRequests
from gateway.services.identities import OPERATOR
from gateway.services.log_in import LogIn
from gateway.services.officer_sessions import OfficerSessions, SessionTimes
from gateway.services.oidc_login import OidcLogin
from gateway.services.oidc_providers import OidcProvider, read_providers
from gateway.services.passwords import Passwords
from gateway.services.query_page_token import QueryPageTokens
from gateway.services.second_factor import RelyingParty
from gateway.services.set_up_login import INVITATION_S, SetUpLogin
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.login_demo import seed_demo_accounts
from gateway.web.authorize import AuthorizeParts
from gateway.web.login_parts import LoginParts, login_parts

INVITATION_HOURS = int(INVITATION_S // 3600)


async def open_login(
    settings: Settings, store: Store, egress: Egress, clock: Clock, *, floor_s: float = 0.25
) -> LoginParts:
    """What the pages stand on; in the demo, its accounts are there when this returns.

    Officers come first: an account is one of an officer who is known. Raises SettingsInvalid.
    """
    login, base_url, party = store.login, settings.base_url, RelyingParty(settings.base_url)
    providers: tuple[OidcProvider, ...] = ()
    if settings.oidc_providers_file is not None:
        providers = read_providers(settings.oidc_providers_file)
    passwords = Passwords()
    if settings.demo_accounts_file is not None:
        await seed_demo_accounts(
            settings.demo_accounts_file, store.database, login.accounts, store.identities, passwords, demo=settings.demo
        )
    times = SessionTimes(settings.session_idle_s, settings.session_s)
    sessions = OfficerSessions(login.sessions, store.identities, clock, times)
    log_in = LogIn(
        officers=store.identities,
        accounts=login.accounts,
        steps=login.steps,
        attempts=login.attempts,
        sessions=sessions,
        alerts=StoredAlerts(store.database, clock),
        clock=clock,
        party=party,
        passwords=passwords,
        demo=settings.demo,
        floor_s=floor_s,
    )
    oidc = OidcLogin(
        providers,
        base_url=base_url,
        egress=egress,
        officers=store.identities,
        accounts=login.accounts,
        steps=login.steps,
        attempts=login.attempts,
        sessions=sessions,
        clock=clock,
    )
    return login_parts(
        base_url=base_url,
        csrf_key=store.keys.derive("web/csrf/v1"),
        device_key=store.keys.derive("login/device/v1"),
        log_in=log_in,
        set_up=_set_up(store, clock, party, passwords),
        oidc=oidc,
        sessions=sessions,
        trusted_proxies=tuple(one for one in (settings.trusted_proxies or "").split(",") if one),
    )


def authorize_parts(parts: LoginParts, requests: AuthorizationRequests, words: Words, clock: Clock) -> AuthorizeParts:
    return AuthorizeParts(parts, requests, words, terms_for(parts.base_url), clock)


def page_tokens(
    store: Store,
    register: Callable[[], PurposeRegister],
    tokens: AccessTokens,
    proofs: DpopProofs,
    base_url: str,
    clock: Clock,
) -> QueryPageTokens:
    """`proofs` are the authorization server's. For deployments that serve the query page."""
    return QueryPageTokens(
        tokens=tokens,
        proofs=proofs,
        replay=store.replays,
        revoker=store.revocations,
        register=register,
        terms=terms_for(base_url),
        clock=clock,
    )


def _set_up(store: Store, clock: Clock, party: RelyingParty, passwords: Passwords) -> SetUpLogin:
    return SetUpLogin(
        officers=store.identities,
        invitations=store.login.accounts,
        steps=store.login.steps,
        clock=clock,
        party=party,
        passwords=passwords,
        revoker=store.revocations,
    )


async def invite_officer(settings: Settings, login: str) -> str:
    """The command: the link. Raises RequestRefused OFFICER_UNKNOWN."""
    async with opened_store(settings) as store:
        return await _set_up(store, SystemClock(), RelyingParty(settings.base_url), Passwords()).invite(login)


async def link_officer(settings: Settings, login: str, provider: str, subject: str) -> None:
    """The command: an account at a provider is this officer's. Raises RequestRefused OFFICER_UNKNOWN, OIDC_UNKNOWN."""
    known = read_providers(settings.oidc_providers_file) if settings.oidc_providers_file is not None else ()
    issuer = next((one.issuer for one in known if one.name == provider), None)
    if issuer is None:
        raise RequestRefused("OIDC_UNKNOWN", "there is no provider of this name in oidc_providers_file")
    async with opened_store(settings) as store:
        officer = await store.identities.officer_by_login(login)
        if officer is None:
            raise RequestRefused("OFFICER_UNKNOWN", "there is no officer of this login")
        await store.login.accounts.link_external(officer.user_id, officer.org_id, issuer, subject, actor=OPERATOR)
