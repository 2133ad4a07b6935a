"""A partner's client or a clerk asks for something to be shown: what they may ask is in the templates, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from credentials.errors import ChainInvalid, KeysUnavailable
from credentials.jose import generate_private_jwk, thumbprint
from credentials.openid4vp.client_ids import PREFIXES, X509_HASH, client_id
from credentials.openid4vp.request_object import transaction
from gateway.caller import Caller, CallerKind
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.oauth.ports import Clients, Login
from gateway.oauth.terms import PRESENTATION_SCOPE
from gateway.policy.claim import claimed
from gateway.policy.purposes import PurposeRegister
from gateway.services.client_limits import ClientLimits
from gateway.services.presenting.asking_keys import AskingKeys
from gateway.services.presenting.ports import CLERK, ConsentByShowing, Presentation, Presentations, Secrets
from gateway.services.presenting.templates import Template

ASKING_COSTS, LOOKING_COSTS = 5, 1
"""Of the client's own budget, in the units of a query's cost."""
OPEN, HAIP = "open", "haip"
_LONGEST_REFERENCE = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `return_to`: for the same device, where the browser goes on. `encrypted` False only in the open
    profile. `profile` None: haip, unless we
    are open alone. `consent_request`: the partner's own request for consent that showing this shall give."""

    template: str
    reference: str
    profile: str | None = None
    prefix: str = X509_HASH
    same_device: bool = False
    return_to: str | None = None
    encrypted: bool = True
    consent_request: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """The request and the ways to a wallet: its own scheme, HAIP's, and a page of ours that is a wallet."""

    presentation: Presentation
    request_uri: str
    links: Mapping[str, str] = field(default_factory=dict)


class CreateRequest:
    """`vct_of` gives our own types as they are in force; `further` what other issuers call them."""

    def __init__(
        self,
        presentations: Presentations,
        templates: Mapping[str, Template],
        clients: Clients,
        keys: AskingKeys,
        register: Callable[[], PurposeRegister],
        limits: ClientLimits,
        clock: Clock,
        *,
        base_url: str,
        vct_of: Callable[[], Mapping[str, str]],
        lasts: timedelta,
        profile: str,
        consent: ConsentByShowing | None = None,
        further: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._presentations, self._templates, self._clients, self._keys = presentations, templates, clients, keys
        self._register, self._limits, self._clock, self._base_url = register, limits, clock, base_url
        self._vct_of, self._lasts, self._profile, self._consent = vct_of, lasts, profile, consent
        self._further = further

    async def for_partner(self, caller: Caller, wish: Wish) -> Created:
        """Raises RequestRefused: PRESENTATION_NOT_YOURS_TO_ASK, INSUFFICIENT_SCOPE, PRESENTATION_TEMPLATE (unknown, or
        not of this client's purposes), PRESENTATION_INVALID; BUDGET_SPENT."""
        check_asker(caller)
        await self._limits.admit(caller, ASKING_COSTS)
        client = await self._clients.find(caller.client_id)
        purposes = frozenset[str]() if client is None else client.purposes
        template, purpose = self._template(wish.template, caller.org_kind, purposes)
        if wish.same_device and (client is None or wish.return_to not in client.redirect_uris):
            raise RequestRefused("PRESENTATION_INVALID", "return_to")
        return await self._create(wish, template, purpose, caller.client_id, caller.org_id, caller.user_id)

    async def for_clerk(self, login: Login, template_id: str, reference: str) -> Created:
        """As `for_partner`, for who sits at the counter; always from one device to another."""
        template, purpose = self._template(template_id, login.org_kind, login.purposes)
        wish = Wish(template_id, reference)
        return await self._create(wish, template, purpose, CLERK, login.org_id, login.user_id)

    def offered_to(self, org_kind: str, purposes: frozenset[str]) -> Sequence[Template]:
        """The templates somebody may use, in the file's order."""
        usable = [one for one in self._templates.values() if org_kind in one.org_kinds and one.purposes & purposes]
        return [one for one in usable if self._known(one)]

    def links(self, request_uri: str, client: str) -> Mapping[str, str]:
        query = urlencode({"client_id": client, "request_uri": request_uri, "request_uri_method": "post"})
        return {
            "openid4vp": f"openid4vp://?{query}",
            "haip": f"haip-vp://?{query}",
            "wallet": f"{self._base_url}/wallet?{query}",
        }

    async def _create(
        self, wish: Wish, template: Template, purpose: str, client: str, org_id: str, user: str
    ) -> Created:
        wish = replace(wish, profile=wish.profile or (OPEN if self._profile == OPEN else HAIP))
        self._check(wish)
        reference = self._reference(wish.reference, purpose, required=client != CLERK)
        dcql = template.dcql(self._vct_of(), self._further)
        now = self._clock.now()
        signed = None
        if wish.consent_request is not None:
            if self._consent is None or client == CLERK:
                raise RequestRefused("PRESENTATION_INVALID", "consent")
            terms = await self._consent.terms(client, wish.consent_request)
            signed = transaction([one.id for one in template.wanted], terms)
        try:
            signer = await self._keys.current()
            asker = client_id(wish.prefix, signer.x5c, host_of(self._base_url))
        except KeysUnavailable:
            raise RequestRefused("NOT_READY") from None
        except ChainInvalid:  # there is no certificate that says what was wished for
            raise RequestRefused("PRESENTATION_INVALID", "prefix") from None
        private = generate_private_jwk()
        private["kid"] = thumbprint(private)
        presentation = Presentation(
            presentation_id=secrets.token_hex(16),
            request_ref=secrets.token_urlsafe(32),
            response_ref=secrets.token_urlsafe(32),
            client_id=client,
            org_id=org_id,
            actor_user=user,
            template=template.id,
            purpose=purpose,
            file_mark=reference,
            dcql=dcql,
            profile=str(wish.profile),
            same_device=wish.same_device,
            return_to=wish.return_to if wish.same_device else None,
            nonce=secrets.token_urlsafe(32),
            state=secrets.token_urlsafe(32),
            created_at=now,
            expires_at=now + self._lasts,
            secrets=Secrets(private, asker, signer.kid, wish.encrypted, signed, wish.consent_request),
        )
        await self._presentations.add(presentation)
        request_uri = f"{self._base_url}/openid4vp/requests/{presentation.request_ref}"
        return Created(presentation, request_uri, self.links(request_uri, asker))

    def _template(self, id: str, org_kind: str, purposes: frozenset[str]) -> tuple[Template, str]:
        """With the purpose it is used under, of the register as it is now."""
        template = self._templates.get(id)
        if template is None or org_kind not in template.org_kinds or not self._known(template):
            raise RequestRefused("PRESENTATION_TEMPLATE")
        for purpose in sorted(template.purposes & purposes):
            rule = self._register().get(purpose)
            if rule is not None and org_kind in rule.org_kinds:
                return template, purpose
        raise RequestRefused("PRESENTATION_TEMPLATE")

    def _known(self, template: Template) -> bool:
        """Whether we issue every type it asks for."""
        known = self._vct_of()
        return all(one.type_id in known for one in template.wanted)

    def _check(self, wish: Wish) -> None:
        if wish.profile not in (OPEN, HAIP) or wish.prefix not in PREFIXES:
            raise RequestRefused("PRESENTATION_INVALID", "profile")
        if self._profile != "both" and wish.profile != self._profile:
            raise RequestRefused("PRESENTATION_INVALID", "profile")
        if wish.profile == HAIP and (wish.prefix != X509_HASH or not wish.encrypted):
            raise RequestRefused("PRESENTATION_INVALID", "haip")
        if wish.same_device != (wish.return_to is not None):
            raise RequestRefused("PRESENTATION_INVALID", "return_to")

    def _reference(self, text: str, purpose: str, *, required: bool) -> str:
        """It is kept, so it is held to what a claim's reference is: a mark of papers, no ID number."""
        text = text.strip()
        if not text and not required:
            return ""
        said = {"code": purpose, "reference": text}
        if not 0 < len(text) <= _LONGEST_REFERENCE or not text.isprintable() or claimed(said, self._register()) is None:
            raise RequestRefused("PRESENTATION_INVALID", "reference")
        return text


def check_asker(caller: Caller) -> None:
    """A partner's own client with the scope for it. Raises RequestRefused."""
    if caller.kind is not CallerKind.PARTNER:
        raise RequestRefused("PRESENTATION_NOT_YOURS_TO_ASK")
    if PRESENTATION_SCOPE not in caller.scope:
        raise RequestRefused("INSUFFICIENT_SCOPE")


def host_of(base_url: str) -> str:
    """Our name without a port: what a certificate names, and what a wallet that knows us beforehand calls us."""
    return urlsplit(base_url).hostname or ""
