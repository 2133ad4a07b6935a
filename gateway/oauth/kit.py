"""What the authorization server stands on, handed over once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.binding import Binder
from gateway.oauth.client_assertion import ClientAssertions
from gateway.oauth.holder import HolderTokens
from gateway.oauth.keeping import Counter, Grants, PreAuthorizedCodes, PushedRequests
from gateway.oauth.ports import Clients, ConsentsAtIssue, Door, Revoker
from gateway.oauth.terms import Terms
from gateway.policy.purposes import PurposeRegister


@dataclass(frozen=True, slots=True)
class Kit:
    """`register` is asked each time, for the purposes in force may change while we run."""

    terms: Terms
    clock: Clock
    register: Callable[[], PurposeRegister]
    clients: Clients
    pushed: PushedRequests
    grants: Grants
    consents: ConsentsAtIssue
    assertions: ClientAssertions  # over `counter`, whose clients may be remembered
    counter: Counter
    bind: Binder
    tokens: AccessTokens
    door: Door
    revoker: Revoker
    pre_authorized: PreAuthorizedCodes | None = None
    holder: HolderTokens | None = None
