"""A registered client, as RFC 7591 describes one, checked when it was registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.caller import CallerKind


class WalletKind(StrEnum):
    """A kind of client behind which no caller stands: its tokens open the credential endpoints and nothing else."""

    WALLET = "WALLET"


WALLET = WalletKind.WALLET
ClientKind = CallerKind | WalletKind
ATTESTED = "attest_jwt_client_auth"
"""The client's provider vouches for it (OpenID4VCI, appendix E)."""


def kind_of(text: str) -> ClientKind:
    """Raises ValueError."""
    return WALLET if text == WALLET.value else CallerKind(text)


@dataclass(frozen=True, slots=True)
class Client:
    """All clients are confidential. `jwks` holds public keys only. Empty tuples mean "none", never "all"."""

    client_id: str
    client_name: str
    kind: ClientKind  # OFFICER: officers act through it; SYSTEM | PARTNER: it acts for itself; WALLET: a person's
    org_id: str  # whose client it is
    org_kind: str
    jurisdiction: str
    jwks: Mapping[str, Any] = field(repr=False)
    grant_types: frozenset[str] = frozenset()
    redirect_uris: tuple[str, ...] = ()
    scope: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()  # codes of the purpose register it may ever claim
    roles: frozenset[str] = frozenset()  # of a SYSTEM client, what an officer's roles would be
    token_endpoint_auth_method: str = "private_key_jwt"  # noqa: S105  (a method's name) | tls_client_auth | self_signed_tls_client_auth
    token_endpoint_auth_signing_alg: str = "ES256"  # noqa: S105  (an algorithm's)
    tls_client_auth_subject_dn: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    refresh_rotation: str = "none"  # none | always
    is_resource_server: bool = False
    disabled: bool = False
