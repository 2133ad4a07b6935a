"""What the authorization server asks of a store. Every single use is one atomic statement, also with two replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.caller import Admission as Admission
from gateway.caller import SharingDetail
from gateway.oauth.client import Client


class Clients(Protocol):
    async def find(self, client_id: str) -> Client | None:
        """None for one that does not exist or is disabled: the caller must not tell them apart."""
        ...


class ReplaySet(Protocol):
    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        """True for the first to say (`kind`, `key`), False for every later one until `until`. Atomic, shared by replicas.

        `kind` is "assertion" or "dpop"; `key` is a hash of (client or thumbprint, jti), never the raw text.
        """
        ...


class Door(Protocol):
    async def admit(self, admission: Admission) -> str:
        """OK | REPLAYED | REVOKED, in one round trip that concurrent requests share. A revocation counts at once."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """An officer who has logged in, as the authorization endpoint and tokens need to know them."""

    user_id: str
    org_id: str
    org_kind: str
    jurisdiction: str
    roles: frozenset[str]
    posts: frozenset[str]
    purposes: frozenset[str]  # what this officer's posts may ever claim
    level: int
    auth_time: datetime
    session_id: str
    amr: tuple[str, ...] = ()
    until: datetime | None = None  # when the officer's posts change next; no grant outlives it


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization: what was granted to whom. Tokens of a revoked grant are dead."""

    grant_id: str
    client_id: str
    user_id: str
    scope: frozenset[str]
    authorization_details: Sequence[Mapping[str, Any]]
    claims: Mapping[str, Any] = field(default_factory=dict)  # of the caller, for tokens: org_id, roles, ...
    granted_at: datetime | None = None  # when it came to be; a later revocation of its user or client ends it
    expires_at: datetime | None = None  # nothing that comes of it lives longer; None: not foreseen


class Revoker(Protocol):
    async def revoke_user(self, user_id: str) -> None:
        """Every grant and token of an officer, effective at once (disabled, moved, changed)."""
        ...

    async def revoke_client(self, client_id: str) -> None: ...

    async def revoke_grant(self, grant_id: str) -> None: ...

    async def revoke_consent(self, consent_id: str) -> None:
        """Every grant whose details name this consent."""
        ...

    async def revoke_token(self, token_id: str) -> None:
        """One access token by its `jti` (RFC 7009); its grant lives on."""
        ...


class ConsentsAtIssue(Protocol):
    async def cover(self, client: Client, details: Sequence[SharingDetail]) -> Sequence[datetime | None]:
        """For each detail that a partner asks a token for, in order: when the consent it names ends; None where that
        consent is not this client's organisation's, not in force now, of another purpose, or does not hold every one of
        the detail's `datatypes`. Looks only; no use is spent.
        """
        ...
