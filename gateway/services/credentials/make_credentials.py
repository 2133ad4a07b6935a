"""From facts and a wallet's keys to signed credentials: each with its own key, its own place in a status list, its own salts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from credentials import w3c
from credentials.credential_type import SD_JWT, CredentialType, split_configuration
from credentials.jose import PublicKey, Signer
from credentials.keys import KeyRing
from credentials.openid4vci.metadata import w3c_type
from credentials.openid4vci.proof import did_jwk
from credentials.sd_jwt import issue
from gateway.clock import Clock
from gateway.services.credentials.facts_digest import FactsDigest, facts_text
from gateway.services.credentials.ports import (
    Fetched,
    HolderGrant,
    Issued,
    IssuedCredentials,
    Place,
    StatusLists,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request brought. `body` is the answer as the wallet gets it."""

    batch_id: str
    body: Mapping[str, Any] = field(repr=False)


class MakeCredentials:
    """Signs and remembers; what it made counts once it is remembered."""

    def __init__(
        self,
        issuer: str,
        types: Mapping[str, CredentialType],
        ring: KeyRing,
        status: StatusLists,
        issued: IssuedCredentials,
        digest: FactsDigest,
        clock: Clock,
        *,
        integrity: Callable[[CredentialType], str],
        longest_recheck: timedelta,
    ) -> None:
        """`integrity`: of a type's metadata document, for `vct#integrity`."""
        self._issuer, self._types, self._ring, self._status, self._issued = issuer, types, ring, status, issued
        self._digest, self._clock, self._integrity = digest, clock, integrity
        self._longest_recheck = longest_recheck

    @property
    def types(self) -> Mapping[str, CredentialType]:
        return self._types

    async def __call__(
        self, grant: HolderGrant, configuration_id: str, keys: Sequence[PublicKey], fetched: Fetched
    ) -> Batch:
        """Raises KeysUnavailable, StoreUnavailable, SubjectErased; then nothing was issued."""
        type_id, format = split_configuration(configuration_id)
        kind = self._types[type_id]
        signer = await self._ring.signer()
        places = await self._status.allot(len(keys))
        now = self._clock.now()
        at = now.replace(second=0, microsecond=0)  # to the minute: the second would tell credentials of one batch
        until = at + kind.valid_for
        make = self._sd_jwt if format == SD_JWT else self._w3c
        made = [
            make(signer, kind, key, place, fetched.claims, at, until) for key, place in zip(keys, places, strict=True)
        ]
        batch_id, notification_id = secrets.token_hex(16), secrets.token_urlsafe(24)
        facts = facts_text(fetched.claims, fetched.sources)
        digest = self._digest.of(grant.subject_id, type_id, fetched.claims)
        batch = [
            Issued(
                secrets.token_hex(16), batch_id, grant.subject_id, configuration_id, type_id, grant.acting,
                grant.grant_id, grant.offer_id, signer.kid, place, key.thumbprint, now, until, facts, digest,
                fetched.receipt_id,
            )
            for key, place in zip(keys, places, strict=True)
        ]  # fmt: skip
        check_at = now + min(kind.recheck_every, self._longest_recheck)
        await self._issued.add(batch, notification_id=notification_id, next_check_at=check_at)
        body = {"credentials": [{"credential": text} for text in made], "notification_id": notification_id}
        return Batch(batch_id, body)

    def _sd_jwt(
        self,
        signer: Signer,
        kind: CredentialType,
        key: PublicKey,
        place: Place,
        claims: Mapping[str, Any],
        at: datetime,
        until: datetime,
    ) -> str:
        may_be_hidden = kind.selective
        selective = {name: value for name, value in claims.items() if name in may_be_hidden}
        always = {name: value for name, value in claims.items() if name not in may_be_hidden}
        registered: dict[str, Any] = {
            "iss": self._issuer,
            "iat": int(at.timestamp()),
            "nbf": int(at.timestamp()),
            "exp": int(until.timestamp()),
            "vct": kind.vct(self._issuer),
            "vct#integrity": self._integrity(kind),
            "cnf": {"jwk": dict(key.jwk)},
            "status": {"status_list": {"idx": place.index, "uri": self._list(place)}},
        }
        header: dict[str, Any] = {"kid": signer.kid}
        if signer.x5c:
            header["x5c"] = list(signer.x5c)
        return issue(signer, {**always, **registered}, selective, header=header)

    def _w3c(
        self,
        signer: Signer,
        kind: CredentialType,
        key: PublicKey,
        place: Place,
        claims: Mapping[str, Any],
        at: datetime,
        until: datetime,
    ) -> str:
        return w3c.issue(
            signer,
            issuer=self._issuer,
            type=w3c_type(kind),
            schema=kind.vct(self._issuer),
            subject={"id": did_jwk(key), **claims},
            valid_from=at,
            valid_until=until,
            status_uri=self._list(place),
            status_index=place.index,
            cnf=key.jwk,
            name={"zh-CN": kind.name.zh, "en": kind.name.en},
        )

    def _list(self, place: Place) -> str:
        return f"{self._issuer}/credentials/status/{place.list_id}"
