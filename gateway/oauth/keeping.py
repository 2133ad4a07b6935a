"""What authlib's flows ask of the store. Secrets go in and out in clear; the store keeps their hashes only.

Every single use is one atomic statement, also with two replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.oauth.client import Client
from gateway.oauth.ports import Grant, ReplaySet


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request as it was pushed and checked (RFC 9126)."""

    client_id: str
    parameters: Mapping[str, Any] = field(repr=False)
    expires_at: datetime = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code was issued for; `code_challenge` is S256's."""

    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    resource: str
    expires_at: datetime
    dpop_jkt: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    grant_id: str
    client_id: str
    resource: str
    issued_at: datetime
    expires_at: datetime


class PushedRequests(Protocol):
    async def push(self, request_uri: str, request: PushedRequest) -> None: ...

    async def find(self, request_uri: str) -> PushedRequest | None:
        """None where there is none, it is used, or it is past; looking spends nothing."""
        ...

    async def burn(self, request_uri: str) -> bool:
        """True for the first to end it, where it was still open."""
        ...


class Grants(Protocol):
    async def authorise(self, request_uri: str, code_text: str, code: Code, grant: Grant) -> bool:
        """Burn the pushed request and keep grant and code, all or nothing; False where the request was not open."""
        ...

    async def redeem(self, code_text: str) -> Code | None:
        """Consume a code: the first gets it, expired or not. A second use revokes the grant; None then, and for none."""
        ...

    async def look(self, code_text: str) -> Code | None:
        """A code that was issued, used or not; looking spends nothing."""
        ...

    async def redeem_checked(self, code_text: str, *, within_s: int) -> tuple[Grant | None, str | None]:
        """Consume a code that was looked at and found in the right hands: its grant for exactly one of any number.

        The others get None; those within `within_s` seconds of the first end nothing, whoever comes later ends the grant,
        and its id stands beside.
        """
        ...

    async def find(self, grant_id: str) -> Grant | None:
        """None where it is revoked."""
        ...

    async def add_refresh_token(self, token: str, kept: RefreshToken) -> bool:
        """False where the grant was revoked meanwhile, and then nothing is kept."""
        ...

    async def find_refresh_token(self, token: str) -> RefreshToken | None:
        """None where there is none, it was rotated away, it expired, or its grant is revoked. Spends nothing."""
        ...

    async def rotate_refresh_token(self, token: str, client_id: str, new_token: str, kept: RefreshToken) -> bool:
        """The new one in the place of the old, in one transaction, for the first who asks. A second use of the old one
        by its client revokes the grant; False then."""
        ...

    async def reused(self, token: str, client_id: str) -> None:
        """A refresh token that opens nothing was shown by `client_id`: where it is one that was rotated away from that very
        client, its grant is revoked."""
        ...

    async def revoke(self, grant_id: str, actor_user: str) -> None:
        """The grant with all that came of it, evidenced and effective at once; again is no error."""
        ...


@dataclass(frozen=True, slots=True)
class InitialPolicy:
    """What an initial access token lets its bearer register, at most (RFC 7591, section 3)."""

    org_id: str
    org_kind: str
    jurisdiction: str
    kind: str
    scope: frozenset[str]
    purposes: frozenset[str]
    grant_types: frozenset[str]
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Registered:
    """A client that registered itself, as its registration access token opens it."""

    client: Client
    policy: InitialPolicy
    created_at: datetime


class Registrations(Protocol):
    async def invite(
        self, token: str, policy: InitialPolicy, *, uses: int, until: datetime, actor: tuple[str, str]
    ) -> None:
        """Keep an initial access token; `actor`: (organisation, user) for the evidence."""
        ...

    async def register(
        self, initial_token: str, registration_token: str, make: Callable[[InitialPolicy], Client]
    ) -> Registered | None:
        """Spend one use of the initial token and keep the client `make` makes of its policy, all or nothing.

        None for a token that is not good (any more). What `make` raises goes through, and then nothing is spent.
        """
        ...

    async def find(self, registration_token: str) -> Registered | None:
        """None where the token opens nothing, or the client was disabled since."""
        ...

    async def change(self, registration_token: str, client: Client) -> bool:
        """False where the token opens no such client any more."""
        ...

    async def delete(self, registration_token: str) -> str | None:
        """Disable the client and end the token, once; the client's id. None where there was nothing to end."""
        ...


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A pre-authorized code as it came. `client_id` "": an anonymous wallet. `jkt`: the DPoP key its token is bound to.
    `wanted`: the credential configurations its authorization_details name. `network`: whence it came, for counting."""

    code: str = field(repr=False)
    tx_code: str | None = field(repr=False)
    wanted: tuple[str, ...] | None = None
    client_id: str = ""
    jkt: str | None = None
    network: str = ""


class PreAuthorizedCodes(Protocol):
    """OpenID4VCI's pre-authorized code flow. Its tokens open the credential endpoint and nothing else."""

    @property
    def anonymous(self) -> bool:
        """Whether a wallet may come without authenticating as a client."""
        ...

    @property
    def spent(self) -> ReplaySet:
        """Where proofs of anonymous wallets are spent; a client's are settled with its registration."""
        ...

    async def look(self, code: str, network: str) -> None:
        """Raises OAuthError for a code that opens nothing, before anything is written for whoever shows it."""
        ...

    async def redeem(self, shown: ShownCode) -> Mapping[str, Any]:
        """The token answer less its `token_type`. Raises OAuthError by section 6.3; the losers of a race end nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Spend:
    """Something good once: `kind` is "assertion" or "dpop", `key` a hash."""

    kind: str
    key: str
    until: datetime


class Counter(Protocol):
    """Where a client's request is settled: everything it shows is spent, and its registration is still what was read.

    One durable round trip that concurrent requests share. `find` may answer from memory, for `settle` is what counts.
    """

    async def find(self, client_id: str) -> Client | None: ...

    async def settle(self, client: Client, spends: Sequence[Spend]) -> str:
        """OK; CHANGED where `client` is not (any more) as registered, and then nothing is spent; else the `kind` that was
        spent before. `client` is the very object `find` gave."""
        ...


@dataclass(slots=True)
class Tally:
    """Implements `gateway.oauth.ports.ReplaySet` for one request: notes what is to be spent once all else has passed."""

    spends: list[Spend] = field(default_factory=list)

    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        self.spends.append(Spend(kind, key, until))
        return True
