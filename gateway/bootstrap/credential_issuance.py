"""Issuing, put together: the endpoints wallets call, what redeems their codes, and the job that waits for sources."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from typing import Any

from starlette.routing import BaseRoute

from credentials.credential_type import CredentialType, Text
from credentials.jose import Signer
from credentials.keys import KeyRing
from credentials.openid4vci.encryption import RequestKey
from credentials.openid4vci.metadata import IssuerFacts, issuer_metadata, signed_metadata
from credentials.openid4vci.proof import Attesters
from credentials.type_metadata import integrity_of, type_metadata
from gateway.bootstrap.credential_offers import OfferRoom
from gateway.caller import Messages, Seals
from gateway.clock import Clock
from gateway.errors import SettingsInvalid
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.nonce import Nonces
from gateway.services.credentials.deferred_credential import (
    FETCH,
    ComeBackLater,
    DeferredCredential,
    FetchDeferred,
)
from gateway.services.credentials.issue_credential import IssueCredential, Issuing
from gateway.services.credentials.make_credentials import MakeCredentials
from gateway.services.credentials.nonces import NONCE_KEY, CredentialNonces
from gateway.services.credentials.notify import Notify
from gateway.services.credentials.ports import FetchFacts, StatusLists
from gateway.services.credentials.read_offer import MaskedName, NamedPersons, ReadOffer
from gateway.services.credentials.redeem_code import RedeemCode
from gateway.services.credentials.spent_at_door import SpentAtDoor
from gateway.services.credentials.tell_ready import TellReadyByPhone
from gateway.services.run_jobs import Handler
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.deferred import StoredDeferred
from gateway.store.credentials.grants import StoredHolderGrants
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.web.credential_routes import STATUS_LISTS
from gateway.web.openid4vci.door import HolderDoor
from gateway.web.openid4vci.routes import IssuerParts, issuer_routes

_REQUEST_KEY, _DPOP = "credential/request-encryption/v1", "dpop-nonce/openid4vci/v1"


@dataclass(frozen=True, slots=True)
class IssuingRoom:
    """`codes` goes to the authorization server; `credential`, `grants` and `parts` to whoever measures or extends it."""

    codes: RedeemCode
    grants: StoredHolderGrants
    credential: IssueCredential
    parts: IssuerParts
    routes: Sequence[BaseRoute] = ()
    handlers: Mapping[str, Handler] = field(default_factory=dict)


def issuing_room(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    ring: KeyRing,
    types: Mapping[str, CredentialType],
    status: StatusLists,
    offers: OfferRoom,
    facts: FetchFacts,
    seals: Seals,
    messages: Messages,
    attesters: Attesters | None = None,
    persons: NamedPersons | None = None,
) -> IssuingRoom:
    """`attesters`: the wallet providers whose key attestations count; None where none is trusted. `persons`: who an offer is
    for, so that it can say so without saying it to others."""
    names = None if persons is None else MaskedName(persons)
    chosen, issuer = settings.credentials, settings.base_url
    attested = frozenset((chosen.attested_types or "").split(",")) - {""}
    if not attested <= types.keys() or (attested and attesters is None):
        raise SettingsInvalid(("credential_attested_types: unknown types, or no provider with certificates to attest",))
    grants = StoredHolderGrants(store.database, offers.codes, clock, tries=chosen.tx_tries)
    spent = SpentAtDoor(store.door)
    nonces = CredentialNonces(store.keys.derive(NONCE_KEY), spent, clock)
    integrity = {one.id: integrity_of(type_metadata(one, issuer)) for one in types.values()}
    make = MakeCredentials(
        issuer,
        types,
        ring,
        status,
        offers.issued,
        offers.digest,
        clock,
        integrity=lambda kind: integrity[kind.id],
        longest_recheck=timedelta(seconds=chosen.recheck_s),
    )
    issuing = Issuing(
        issuer,
        make,
        facts,
        nonces,
        grants,
        StoredDeferred(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock),
        offers.offers,
        seals,
        clock,
        ComeBackLater(store.jobs),
        most=chosen.batch,
        deferred_for=timedelta(days=chosen.deferred_days),
        attesters=attesters,
        attested=attested,
    )
    key = RequestKey(store.keys.derive(_REQUEST_KEY))
    nonce_on = settings.dpop_nonces == "everywhere"
    proofs = DpopProofs(issuer, Nonces(store.keys.derive(_DPOP), clock) if nonce_on else None, clock)
    document = issuer_metadata(
        IssuerFacts(
            issuer,
            Text(chosen.issuer_zh, chosen.issuer_en),
            chosen.batch,
            key,
            issuer + STATUS_LISTS,
            attestations=attesters is not None,
            attested=attested,
        ),
        types.values(),
    )
    credential = IssueCredential(issuing)
    code_told = _words("tx_code")
    parts = IssuerParts(
        issuer,
        HolderDoor(grants, proofs, spent),
        key,
        nonces.make,
        lambda: proofs.nonce,
        credential,
        DeferredCredential(issuing),
        Notify(offers.issued, offers.offers),
        ReadOffer(
            offers.offers,
            offers.codes.code_of,
            clock,
            issuer=issuer,
            tx_digits=chosen.tx_digits,
            tx_description=f"{code_told.zh} {code_told.en}",
            masked_name=names,
        ),
        lambda: document,
        _Signing(ring, clock),
    )
    ready = TellReadyByPhone(store.phones, messages, issuer)
    return IssuingRoom(
        RedeemCode(grants, store.replays, clock, token_s=chosen.token_s, anonymous=chosen.profile in ("open", "both")),
        grants,
        credential,
        parts,
        issuer_routes(parts),
        {FETCH: FetchDeferred(issuing, grants, store.jobs, ready)},
    )


class _Signing:
    """Metadata signed by the key that signs now, once a minute for each wording at most."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._ring, self._clock = ring, clock
        self._made: dict[tuple[str, int, str], str] = {}

    async def __call__(self, document: Mapping[str, Any]) -> str:
        """Raises KeysUnavailable."""
        signer: Signer = await self._ring.signer()
        now = self._clock.now()
        wording = str(document["display"])
        key = signer.kid, int(now.timestamp()) // 60, wording
        if key not in self._made:
            self._made = {old: text for old, text in self._made.items() if old[:2] == key[:2]}
            self._made[key] = signed_metadata(document, signer, now)
        return self._made[key]


def _words(name: str) -> Text:
    file = resources.files("gateway.services.credentials").joinpath("issuer_words.toml")
    entry = tomllib.loads(file.read_text("utf-8"))[name]
    return Text(entry["zh"], entry["en"])
