"""Showing, put together: who asks, what wallets call, and whom we believe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from adapters.egress import Egress
from credentials.credential_type import CredentialType
from credentials.trust import KnownType, Trust
from credentials.type_metadata import integrity_of, type_metadata
from gateway.bootstrap.credential_keys import Rings
from gateway.bootstrap.credential_status import KeyRoom
from gateway.bootstrap.limits import client_limits
from gateway.caller import Authenticator
from gateway.clock import Clock
from gateway.consent.persons import PersonSession
from gateway.errors import RequestRefused, SettingsInvalid
from gateway.policy.purposes import PurposeRegister
from gateway.services.credentials.ports import IssuedCredentials, StatusLists
from gateway.services.presenting.asking_keys import AskingKeys
from gateway.services.presenting.check_presentation import CheckPresented
from gateway.services.presenting.consent_by_showing import GiveConsent, ShowToConsent
from gateway.services.presenting.create_request import CreateRequest
from gateway.services.presenting.issued_here import IssuedHere
from gateway.services.presenting.ports import Errands
from gateway.services.presenting.results import Results
from gateway.services.presenting.serve_request import ServeRequest
from gateway.services.presenting.status_tokens import NowStatus
from gateway.services.presenting.take_answer import TakeAnswer
from gateway.services.presenting.templates import built_in
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.presentations import StoredPresentations
from gateway.web.login_parts import LoginParts
from gateway.web.openid4vp.counter import CounterParts, counter_routes
from gateway.web.openid4vp.routes import PresentingParts, presenting_routes
from gateway.web.token_door import token_door
from schema.nouns import NounSpec

STATUS_PATH = "/credentials/status/"
HOSTS_FILE = "status-hosts.txt"
"""In `credential_trust_dir`: host:port of each issuer whose status lists we may ask for, one a line."""


class GivingLater:
    """Implements `GiveConsent` once the person's side is put together; until then nobody gives anything."""

    def __init__(self) -> None:
        self._give: GiveConsent | None = None

    def through(self, give: GiveConsent) -> None:
        self._give = give

    async def give(self, person: PersonSession, consent_id: str, seen: str) -> None:
        """See the port. Raises RequestRefused CONSENT_CLOSED where there is nobody to give through."""
        if self._give is None:
            raise RequestRefused("CONSENT_CLOSED")
        await self._give.give(person, consent_id, seen)


@dataclass(frozen=True, slots=True)
class ShowingRoom:
    """What the composition root takes from here. `giving`: to be led to the person's consents."""

    parts: PresentingParts
    giving: GivingLater
    routes: Sequence[BaseRoute]
    types: Mapping[str, CredentialType]
    base_url: str

    def counter(self, login: LoginParts) -> Sequence[BaseRoute]:
        """The clerk's pages."""
        made = CounterParts(login, self.parts.create, self.parts.results, built_in(), lambda: self.types, self.base_url)
        return counter_routes(made)


def showing_room(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    keys: KeyRoom,
    types: Mapping[str, CredentialType],
    issued: IssuedCredentials,
    egress: Egress,
    authenticate: Authenticator,
    clock: Clock,
    *,
    errands: Errands | None = None,
    older: Sequence[CredentialType] = (),
) -> ShowingRoom:
    giving = GivingLater()
    parts = presenting_parts(
        settings,
        store,
        snapshots,
        keys.rings,
        types,
        keys.lists,
        egress,
        clock,
        issued=issued,
        give=giving,
        errands=errands,
        older=older,
    )
    admit = token_door(authenticate, settings.base_url, settings.client_certificate_header)
    return ShowingRoom(parts, giving, presenting_routes(parts, admit), types, settings.base_url)


def presenting_parts(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    rings: Rings,
    types: Mapping[str, CredentialType],
    lists: StatusLists | None,
    egress: Egress,
    clock: Clock,
    *,
    issued: IssuedCredentials | None = None,
    give: GiveConsent | None = None,
    errands: Errands | None = None,
    older: Sequence[CredentialType] = (),
) -> PresentingParts:
    """`issued` and `give`: without them nothing is known of our own credentials, and no consent is given by showing. `older`:
    versions somebody may still hold; where one has all that is asked for it is as good."""
    base_url = settings.base_url
    vct_of = {id: ctype.vct(base_url) for id, ctype in types.items()}
    ever = (*types.values(), *older)
    type_of = {one.vct(base_url): one for one in ever}
    before: dict[str, list[str]] = {}
    for one in older:
        before.setdefault(one.id, []).append(one.vct(base_url))
    templates = built_in()

    def register() -> PurposeRegister:
        return snapshots.current.snapshot.purposes

    def nouns() -> Mapping[str, NounSpec]:
        return snapshots.current.snapshot.schema.nouns

    presentations = StoredPresentations(store.database, store.keys, clock)
    limits = client_limits(store, settings, clock)
    words = Words(store.identities, nouns, register)
    own = None if issued is None else IssuedHere(issued, uri_prefix=base_url + STATUS_PATH)
    consent = None
    if own is not None and give is not None:
        consent = ShowToConsent(store.consents, words, own, give, clock)
    statuses = NowStatus(
        lists,
        egress,
        clock,
        uri_prefix=base_url + STATUS_PATH,
        hosts=trusted_hosts(settings.credentials.trust_dir),
    )
    keys = AskingKeys(rings.verifier)
    trusting = _Trusting(rings, ever, base_url)
    return PresentingParts(
        CreateRequest(
            presentations,
            templates,
            store.clients,
            keys,
            register,
            limits,
            clock,
            base_url=base_url,
            vct_of=lambda: vct_of,
            further=before,
            lasts=timedelta(seconds=settings.credentials.presentation_s),
            profile=settings.credentials.profile,
            consent=consent,
        ),
        ServeRequest(presentations, templates, store.clients, words, keys, clock, base_url=base_url),
        TakeAnswer(
            presentations,
            CheckPresented(trusting.trust, trusting.own, statuses, clock),
            clock,
            type_of=type_of.get,
            own=own,
            own_name=settings.credentials.issuer_zh,
            errands=errands,
            consent=consent,
        ),
        Results(presentations, limits, clock),
    )


class _Trusting:
    """Whom we believe, as our ring stands at this moment."""

    def __init__(self, rings: Rings, types: Sequence[CredentialType], base_url: str) -> None:
        self._rings, self._types = rings, {}
        for ctype in types:
            vct = ctype.vct(base_url)
            self._types[vct] = KnownType(vct, integrity_of(type_metadata(ctype, base_url)))

    async def trust(self) -> Trust:
        keys = await self._rings.issuer.keys()
        cut_offs: dict[str, datetime] = {one.public.thumbprint: one.cut_off for one in keys if one.cut_off is not None}
        return Trust(tuple(self._rings.anchors()), {}, self._types, cut_offs)

    async def own(self) -> frozenset[str]:
        return frozenset(one.public.thumbprint for one in await self._rings.issuer.keys())


def trusted_hosts(folder: Path | None) -> frozenset[str]:
    """Raises SettingsInvalid for a file that cannot be read."""
    path = None if folder is None else folder / HOSTS_FILE
    if path is None or not path.exists():
        return frozenset()
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid((f"credential_trust_dir: {HOSTS_FILE} cannot be read",)) from None
    return frozenset(line.strip().lower() for line in lines if line.strip() and not line.startswith("#"))
