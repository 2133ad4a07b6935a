"""Import organisations, posts, officers and devices: check everything, show everything, then do all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from gateway.caller import Change, Subjects
from gateway.clock import Clock
from gateway.oauth.ports import Revoker
from gateway.policy.purposes import PurposeRegister
from gateway.services.identity_check import Check
from gateway.services.identity_plan import Plan, made
from gateway.services.identity_records import Records
from gateway.services.identity_rows import Fault, Given
from gateway.services.identity_scope import Reach

_log = structlog.get_logger(__name__)


class IdentityChanges(Protocol):
    async def change(self, make: Callable[[Records], Plan], *, actor_org: str, actor_user: str, dry_run: bool) -> Plan:
        """Asks `make` what to do with what is held, and does it: in one transaction that no other change runs beside,
        each change with its record. Nothing is written where the plan has faults, or on a dry run."""
        ...

    async def was_read(self, reader: Change) -> None:
        """Keep the record that somebody was told how what is held differs from what they gave."""
        ...


class OrganisationClients(Protocol):
    async def client_ids_of(self, org_id: str) -> Sequence[str]:
        """The registered clients that belong to an organisation."""
        ...


class ImportIdentities:
    """`Plan` out, done or not. Nothing personal in it but logins, which are for the eyes of who imports."""

    def __init__(
        self,
        changes: IdentityChanges,
        subjects: Subjects,
        revoker: Revoker,
        clock: Clock,
        *,
        register: Callable[[], PurposeRegister] | None = None,
        clients: OrganisationClients | None = None,
    ) -> None:
        self._changes, self._subjects, self._revoker, self._clock = changes, subjects, revoker, clock
        self._register, self._clients = register, clients

    async def __call__(
        self,
        given: Given,
        *,
        actor_org: str,
        actor_user: str,
        dry_run: bool = False,
        full: bool = False,
        reach: Reach | None = None,
    ) -> Plan:
        """Raises what the store raises; then nothing was changed, or all of it was. Nobody changes their own standing,
        or what is beyond their `reach` (None: everything is within): that is a fault like any other.

        Whoever is changed loses their grants before the change and again after it: what was made under the old standing
        in between is gone too, and a failure half-way leaves too little, never too much.
        """
        register = self._register() if self._register is not None else None
        check = Check(given, register)
        numbers = tuple(check.id_numbers)
        found = dict(zip(numbers, await self._subjects.recognise(numbers), strict=True))

        def make(held: Records) -> Plan:
            fresh = Check(given, register)  # what is held may differ from one call to the next, and so do the faults
            after = fresh.laid_over(held, found)
            if fresh.faults:
                return Plan(
                    faults=tuple(sorted(fresh.faults, key=lambda one: (one.file, one.line, one.column, one.code)))
                )
            plan = made(held, after, given, self._clock.now(), full=full, reach=reach)
            beyond = reach.faults(plan, held, after, given) if reach is not None else ()
            if beyond:
                return Plan(faults=beyond)
            return Plan(faults=(Fault("", 0, 0, "", "OWN_STANDING"),)) if actor_user in plan.revoked else plan

        looked = await self._changes.change(make, actor_org=actor_org, actor_user=actor_user, dry_run=True)
        if dry_run or looked.faults or not looked.changes:
            counts = {"rows": sum(map(len, given.rows.values())), "changes": len(looked.changes)}
            await self._changes.was_read(Change("IDENTITIES_READ", actor_org, actor_org, actor_user, detail=counts))
            return looked
        await self._revoke(looked)
        await self._subjects.intern(numbers)  # the very ids they were recognised by; a look makes nobody
        plan = await self._changes.change(make, actor_org=actor_org, actor_user=actor_user, dry_run=False)
        await self._revoke(plan)
        _log.info("identities_imported", changes=len(plan.changes), revoked=len(plan.revoked))
        return plan

    async def _revoke(self, plan: Plan) -> None:
        for user_id in sorted(plan.revoked):
            await self._revoker.revoke_user(user_id)
        for org_id in sorted(plan.closed_organisations) if self._clients is not None else ():
            for client_id in await self._clients.client_ids_of(org_id) if self._clients is not None else ():
                await self._revoker.revoke_client(client_id)
