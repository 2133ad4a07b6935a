"""An import that comes over the wire: who may send one, and that a refusal leaves its mark."""

from __future__ import annotations

from gateway.caller import Caller, CallerKind, Evidence
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.services.identities import IDENTITY_ADMIN
from gateway.services.identity_plan import Plan
from gateway.services.identity_rows import Given
from gateway.services.identity_scope import PLATFORM_ADMIN, Reach
from gateway.services.import_identities import ImportIdentities
from gateway.services.refusals import refusal_event


class ImportByCaller:
    """For officers and systems with the role IDENTITY_ADMIN, at two factors or a client's own key; never for partners.
    They reach their own organisation and those below it; with PLATFORM_ADMIN besides, every one."""

    def __init__(self, import_identities: ImportIdentities, evidence: Evidence, clock: Clock) -> None:
        self._import, self._evidence, self._clock = import_identities, evidence, clock

    async def may(self, caller: Caller) -> None:
        """Asked before a byte of the import is read. Raises RequestRefused FORBIDDEN, recorded."""
        if caller.kind is CallerKind.PARTNER or IDENTITY_ADMIN not in caller.roles or caller.level < 2:
            await self._evidence.record(refusal_event(caller, self._clock.now(), "IDENTITY_IMPORT", "default-deny"))
            raise RequestRefused("FORBIDDEN")

    async def __call__(self, caller: Caller, given: Given, *, dry_run: bool, full: bool) -> Plan:
        await self.may(caller)
        reach = None if PLATFORM_ADMIN in caller.roles else Reach(caller.org_id)
        return await self._import(
            given, actor_org=caller.org_id, actor_user=caller.user_id, dry_run=dry_run, full=full, reach=reach
        )
