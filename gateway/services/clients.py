"""The register of clients: imported from a file, switched off, given new keys; each with its evidence.

A client whose standing changed loses every grant and token made under the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.oauth.client import Client
from gateway.oauth.ports import Revoker
from gateway.oauth.registration import MEMBERS, read_client
from gateway.policy.purposes import PurposeRegister

_STANDING = (
    "kind", "org_id", "org_kind", "jurisdiction", "grant_types", "redirect_uris", "scope", "purposes", "roles",
    "token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "tls_client_auth_subject_dn",
    "tls_client_certificate_bound_access_tokens", "is_resource_server", "jwks",
)  # fmt: skip


class ClientsRefused(GatewayError):
    """The registration cannot be taken; `faults` lists every reason with its place."""

    code = "CLIENTS_REFUSED"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class ClientState:
    """A client as an operator sees it: also when it is disabled."""

    client: Client
    created_at: datetime
    updated_at: datetime
    keys: tuple[str, ...]  # `kid`s in force
    old_keys: tuple[str, ...]  # `kid`s that still verify, until `old_keys_until`
    old_keys_until: datetime | None


class ClientRegister(Protocol):
    async def state(self, client_id: str) -> ClientState | None: ...

    async def all(self) -> Sequence[ClientState]: ...

    async def put(self, clients: Sequence[Client], *, actor_org: str, actor_user: str) -> None:
        """Register or change, all of them or none. A client that is disabled stays so."""
        ...

    async def disable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such enabled client."""
        ...

    async def enable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such disabled client."""
        ...

    async def rotate(
        self, client_id: str, jwks: Mapping[str, Any], overlap: timedelta, *, actor_org: str, actor_user: str
    ) -> bool:
        """New keys, the old ones verifying for `overlap` more. False for no such client."""
        ...


@dataclass(frozen=True, slots=True)
class ImportedClients:
    """What an import did, or would do on a dry run: client ids."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


class ManageClients:
    """What an operator does with clients. `actor`: (organisation, user) for the evidence."""

    def __init__(
        self,
        register: ClientRegister,
        revoker: Revoker,
        purposes: Callable[[], PurposeRegister],
        *,
        scopes: tuple[str, ...],
        actor: tuple[str, str],
    ) -> None:
        self._register, self._revoker, self._purposes, self._scopes = register, revoker, purposes, scopes
        self._org, self._user = actor

    async def import_all(self, entries: Any, *, dry_run: bool = False) -> ImportedClients:
        """`entries`: an array of RFC 7591 metadata objects. Raises ClientsRefused with every fault; then none is taken."""
        clients = self.read(entries)
        states = {client.client_id: await self._register.state(client.client_id) for client in clients}
        added = [client for client in clients if states[client.client_id] is None]
        changed = [client for client in clients if _differs(states[client.client_id], client)]
        if not dry_run:
            await self._register.put([*added, *changed], actor_org=self._org, actor_user=self._user)
            for client in changed:
                if _moved(states[client.client_id], client):
                    await self._revoker.revoke_client(client.client_id)
        touched = {client.client_id for client in (*added, *changed)}
        return ImportedClients(
            tuple(client.client_id for client in added),
            tuple(client.client_id for client in changed),
            tuple(client.client_id for client in clients if client.client_id not in touched),
        )

    def read(self, entries: Any) -> list[Client]:
        """The clients of an import file. Raises ClientsRefused."""
        if not isinstance(entries, list) or not entries:
            raise ClientsRefused(["the file must hold a JSON array of client metadata objects (RFC 7591)"])
        faults: list[str] = []
        clients = [self._one(number, entry, faults) for number, entry in enumerate(entries, 1)]
        ids = [client.client_id for client in clients if client is not None]
        for twice in sorted({one for one in ids if ids.count(one) > 1}):
            faults.append(f"client_id {twice}: stands in the file more than once")
        if faults:
            raise ClientsRefused(faults)
        return [client for client in clients if client is not None]

    async def disable(self, client_id: str) -> None:
        """No token is issued any more, and none that was issued is good, at once. Raises ClientsRefused."""
        if not await self._register.disable(client_id, actor_org=self._org, actor_user=self._user):
            raise ClientsRefused([f"{client_id}: there is no such enabled client"])
        await self._revoker.revoke_client(client_id)

    async def enable(self, client_id: str) -> None:
        """Old tokens stay dead. Raises ClientsRefused."""
        if not await self._register.enable(client_id, actor_org=self._org, actor_user=self._user):
            raise ClientsRefused([f"{client_id}: there is no such disabled client"])

    async def rotate(self, client_id: str, jwks: Any, overlap: timedelta) -> ClientState:
        """The keys of `jwks` from now on, the old ones for `overlap` more; with none, tokens die with the old keys.

        Raises ClientsRefused.
        """
        state = await self._register.state(client_id)
        if state is None:
            raise ClientsRefused([f"{client_id}: there is no such client"])
        faults: list[str] = []
        read_client(
            {"client_id": client_id, "jwks": jwks},
            lambda member, wrong: faults.append(f"{client_id}: {member} {wrong}") if member == "jwks" else None,
            scopes=self._scopes,
            register=self._purposes(),
        )
        if not faults and overlap and not all((*_kids(jwks), *state.keys)):
            faults.append(f"{client_id}: old and new keys each need a kid to overlap; give them, or use --overlap 0")
        if not faults and set(_kids(jwks)) & set(state.keys) - {""}:
            faults.append(f"{client_id}: a new key has the kid of an old one")
        if faults:
            raise ClientsRefused(faults)
        await self._register.rotate(client_id, jwks, overlap, actor_org=self._org, actor_user=self._user)
        if not overlap:
            await self._revoker.revoke_client(client_id)
        return await self._register.state(client_id) or state

    async def state(self, client_id: str) -> ClientState:
        """Raises ClientsRefused."""
        found = await self._register.state(client_id)
        if found is None:
            raise ClientsRefused([f"{client_id}: there is no such client"])
        return found

    async def all(self) -> Sequence[ClientState]:
        return await self._register.all()

    def _one(self, number: int, entry: Any, faults: list[str]) -> Client | None:
        if not isinstance(entry, dict):
            faults.append(f"entry {number}: must be an object")
            return None
        shown = entry.get("client_id")
        place = f"entry {number}" + (f" ({shown})" if isinstance(shown, str) and len(shown) <= 64 else "")
        for name in sorted(entry.keys() - MEMBERS):
            faults.append(f"{place}: {name[:64]} is not known")
        return read_client(
            entry,
            lambda member, wrong: faults.append(f"{place}: {member} {wrong}"),
            scopes=self._scopes,
            register=self._purposes(),
        )


def _differs(state: ClientState | None, client: Client) -> bool:
    return state is not None and _current(state) != client


def _moved(state: ClientState | None, client: Client) -> bool:
    """Whether what tokens rest on changed, and not only a name."""
    return state is not None and any(getattr(_current(state), name) != getattr(client, name) for name in _STANDING)


def _current(state: ClientState) -> Client:
    """The client as it was registered: without keys that only verify for a while yet, and whether disabled or not."""
    keys = [key for key in state.client.jwks["keys"] if str(key.get("kid", "")) in state.keys]
    return replace(state.client, jwks={"keys": keys}, disabled=False)


def _kids(jwks: Mapping[str, Any]) -> list[str]:
    return [str(key.get("kid") or "") for key in jwks["keys"]]
