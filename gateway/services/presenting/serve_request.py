"""The request as a wallet fetches it: signed anew each time, with the wallet's own nonce where it sent one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from credentials.errors import KeysUnavailable
from credentials.jose import Signer
from credentials.openid4vp.request_object import DIRECT_POST, DIRECT_POST_JWT, Ask, request_object
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.oauth.ports import Clients
from gateway.services.presenting.asking_keys import AskingKeys
from gateway.services.presenting.ports import CLERK, Presentation, Presentations
from gateway.services.presenting.templates import Template
from gateway.services.words import Words


class ServeRequest:
    """Looking spends nothing: a wallet may fetch twice, and a link scanner before it."""

    def __init__(
        self,
        presentations: Presentations,
        templates: Mapping[str, Template],
        clients: Clients,
        words: Words,
        keys: AskingKeys,
        clock: Clock,
        *,
        base_url: str,
    ) -> None:
        self._presentations, self._templates, self._clients, self._words = presentations, templates, clients, words
        self._keys, self._clock, self._base_url = keys, clock, base_url

    async def __call__(self, request_ref: str, wallet_nonce: str | None = None) -> str:
        """The signed request object. Raises RequestRefused NOT_FOUND where there is none, or it is over."""
        found = await self._presentations.by_request(request_ref)
        if found is None or found.secrets is None:
            raise RequestRefused("NOT_FOUND")
        secrets = found.secrets
        client = None if found.client_id == CLERK else await self._clients.find(found.client_id)
        if found.client_id != CLERK and (client is None or client.disabled):
            raise RequestRefused("NOT_FOUND")
        signer = await self._signer(secrets.kid)
        organisation = await self._words.organisation(found.org_id)
        name = client.client_name if client is not None else organisation.zh
        key = {member: secrets.encryption[member] for member in ("kty", "crv", "x", "y", "kid")}
        ask = Ask(
            client_id=secrets.prefix,
            client_name=name,
            response_uri=f"{self._base_url}/openid4vp/responses/{found.response_ref}",
            response_mode=DIRECT_POST_JWT if secrets.encrypted else DIRECT_POST,
            nonce=found.nonce,
            state=found.state,
            dcql=found.dcql,
            encryption=key,
            verifier=self._in_words(found, {"zh": organisation.zh, "en": organisation.en}, name),
            transaction_data=() if secrets.transaction_data is None else (secrets.transaction_data,),
            wallet_nonce=wallet_nonce,
        )
        signed = request_object(signer, ask, issued_at=self._clock.now(), expires_at=found.expires_at)
        await self._presentations.fetched(found.presentation_id)
        return signed

    async def _signer(self, kid: str) -> Signer:
        try:
            signer = await self._keys.of(kid)
        except KeysUnavailable:
            raise RequestRefused("NOT_READY") from None
        if signer is None:
            raise RequestRefused("NOT_FOUND")
        return signer

    def _in_words(self, found: Presentation, organisation: dict[str, str], name: str) -> dict[str, Any]:
        """What the wallet shows: who, what for, and under which mark."""
        template = self._templates[found.template]
        purpose = {"zh": template.purpose.zh, "en": template.purpose.en}
        title = {"zh": template.title.zh, "en": template.title.en}
        said = {"organisation": organisation, "client": name, "title": title, "purpose": purpose}
        return said | ({"reference": found.file_mark} if found.file_mark else {})
