"""The authorization server, put together; and what operators do with its clients from the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from gateway.bootstrap.database import opened_store
from gateway.bootstrap.oauth_parts import OAuthParts
from gateway.bootstrap.policy_sets import purposes_in
from gateway.clock import Clock, SystemClock
from gateway.oauth.attestation import WalletAttestations
from gateway.oauth.binding import Binder
from gateway.oauth.client_assertion import ClientAssertions
from gateway.oauth.holder import HolderTokens
from gateway.oauth.keeping import InitialPolicy, PreAuthorizedCodes
from gateway.oauth.kit import Kit
from gateway.oauth.metadata import metadata
from gateway.oauth.server import Server
from gateway.oauth.terms import CLIENT_CREDENTIALS, CONSENT_SCOPE, SCOPE, terms_for
from gateway.policy.purposes import PurposeRegister
from gateway.services.authorize import Authorize
from gateway.services.clients import ClientsRefused, ClientState, ImportedClients, ManageClients
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.services.register_client import RegisterClient
from gateway.settings import Settings
from gateway.store import Store
from gateway.web.credential_routes import STATUS_LISTS
from gateway.web.oauth_routes import Endpoints, oauth_routes


@dataclass(frozen=True, slots=True)
class Authorization:
    """`authorize` is what the pages of /oauth/authorize ask; `routes` are all other URLs of the server."""

    server: Server
    authorize: Authorize
    register: RegisterClient
    routes: list[BaseRoute]


def authorization(
    store: Store,
    clock: Clock,
    settings: Settings,
    parts: OAuthParts,
    register: Callable[[], PurposeRegister],
    pre_authorized: PreAuthorizedCodes | None = None,
    holder: HolderTokens | None = None,
    attestations: WalletAttestations | None = None,
) -> Authorization:
    """`register`: the purposes in force, asked each time. `pre_authorized`: where offers of credentials are redeemed;
    `holder`: where wallets' tokens of the code flow are kept; `attestations`: who vouches for wallets."""
    terms = terms_for(settings.base_url, access_s=settings.access_token_s)
    kit = Kit(
        terms=terms,
        clock=clock,
        register=register,
        clients=store.clients,
        pushed=store.pushed,
        grants=store.grants,
        consents=store.live_consents,
        assertions=ClientAssertions(
            store.counter, store.replays, terms.issuer, clock, parts.certificates, attestations
        ),
        counter=store.counter,
        bind=Binder(parts.server_proofs, parts.certificates),
        tokens=parts.tokens,
        door=store.door,
        revoker=store.revocations,
        pre_authorized=pre_authorized,
        holder=holder,
    )
    server = Server(kit)
    own = RegisterClient(store.registrations, store.revocations, register, terms, clock)
    said = metadata(
        terms,
        mtls=parts.certificates.on,
        pre_authorized=pre_authorized is not None,
        anonymous=pre_authorized is not None and pre_authorized.anonymous,
        credentials=() if holder is None else holder.configurations(),
        attested=attestations is not None,
        status_lists=None if pre_authorized is None else settings.base_url + STATUS_LISTS,
    )
    proxies = tuple(one for one in (settings.trusted_proxies or "").split(",") if one)
    endpoints = Endpoints(server, own, said, parts.signing_keys.jwks, proxies)
    return Authorization(server, Authorize(server), own, oauth_routes(endpoints))


@asynccontextmanager
async def _managing(settings: Settings) -> AsyncIterator[tuple[ManageClients, RegisterClient]]:
    """What the commands work with."""
    purposes = purposes_in(settings.manifests_dir)
    terms = terms_for(settings.base_url)
    async with opened_store(settings) as store:
        manage = ManageClients(
            store.clients, store.revocations, lambda: purposes, scopes=terms.scopes, actor=(OPERATOR_ORG, OPERATOR)
        )
        yield manage, RegisterClient(store.registrations, store.revocations, lambda: purposes, terms, SystemClock())


async def import_clients(settings: Settings, file: Path, *, dry_run: bool) -> ImportedClients:
    """Raises ClientsRefused with every fault of the file."""
    entries = _read(file)
    async with _managing(settings) as (manage, _):
        return await manage.import_all(entries, dry_run=dry_run)


async def list_clients(settings: Settings) -> list[ClientState]:
    async with _managing(settings) as (manage, _):
        return list(await manage.all())


async def show_client(settings: Settings, client_id: str) -> ClientState:
    async with _managing(settings) as (manage, _):
        return await manage.state(client_id)


async def switch_client(settings: Settings, client_id: str, *, on: bool) -> None:
    async with _managing(settings) as (manage, _):
        await (manage.enable(client_id) if on else manage.disable(client_id))


async def rotate_client(settings: Settings, client_id: str, file: Path, overlap: timedelta) -> ClientState:
    """`file`: a JWK set with the new public keys."""
    jwks = _read(file)
    async with _managing(settings) as (manage, _):
        return await manage.rotate(client_id, jwks, overlap)


async def invite_client(
    settings: Settings, policy: InitialPolicy, *, uses: int = 1, lasts: timedelta = timedelta(days=7)
) -> str:
    """An initial access token, shown once."""
    async with _managing(settings) as (_, own):
        return await own.invite(policy, uses=uses, lasts=lasts, actor=(OPERATOR_ORG, OPERATOR))


def partner_policy(org_id: str, org_kind: str, jurisdiction: str, purposes: frozenset[str]) -> InitialPolicy:
    """What a partner may register for itself: to ask by its own key, for these purposes."""
    grants = frozenset({CLIENT_CREDENTIALS})
    return InitialPolicy(org_id, org_kind, jurisdiction, "PARTNER", frozenset({SCOPE, CONSENT_SCOPE}), purposes, grants)


def _read(file: Path) -> Any:
    """Raises ClientsRefused for what is no JSON, or says one thing twice."""
    try:
        return json.loads(file.read_text("utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise ClientsRefused([f"{file}: {error.strerror or type(error).__name__}"]) from None
    except UnicodeDecodeError:
        raise ClientsRefused([f"{file}: is not a UTF-8 text"]) from None
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a key stands twice"
        raise ClientsRefused([f"{file}: is not valid JSON ({where})"]) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
