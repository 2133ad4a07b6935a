"""Budgets, rates and the suspension of clients that act for themselves: partners, and other systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

import structlog

from gateway.caller import Alert, Alerts, Caller, CallerKind
from gateway.errors import RequestRefused
from gateway.oauth.ports import Revoker
from gateway.services.client_limits import AbuseRules, Allowance, Counts, Meters

_log = structlog.get_logger(__name__)
_LOOK_EVERY = 20  # refusals for rate, between looks at whether it has become abuse


class DisableClient(Protocol):
    async def disable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such enabled client."""
        ...


class ConsentsHeld(Protocol):
    async def who_agreed(self, client_id: str, subjects: Sequence[str]) -> frozenset[str]:
        """Those of `subjects` with a consent to this client in force now, whatever it covers and however often used."""
        ...


class PartnerLimits:
    """Implements `gateway.services.client_limits.ClientLimits`.

    Officers are not metered here: their own organisation's supervisors watch them (A11). Systems have budgets and rates;
    only partners are suspended by themselves, since only they may ask about nobody but those who agreed.
    """

    def __init__(
        self,
        meters: Meters,
        clients: DisableClient,
        revoker: Revoker,
        alerts: Alerts,
        consents: ConsentsHeld,
        *,
        allowance: Allowance,
        rules: AbuseRules | None = None,
    ) -> None:
        self._meters, self._clients, self._revoker, self._alerts = meters, clients, revoker, alerts
        self._consents = consents
        self._allowance, self._rules = allowance, rules or AbuseRules()
        self._refused: dict[str, int] = {}

    async def admit(self, caller: Caller, cost: int) -> None:
        """See the port."""
        if caller.kind is CallerKind.OFFICER:
            return
        refusal = await self._meters.spend(caller.client_id, cost)
        if refusal is None:
            self._refused.pop(caller.client_id, None)
            return
        if caller.kind is CallerKind.PARTNER:
            await self._after_refusal(caller, refusal.code)
        if refusal.retry_after_s:
            raise RequestRefused(refusal.code, retry_after=refusal.retry_after_s)
        raise RequestRefused(refusal.code)

    async def note(self, caller: Caller, asked: Sequence[str], found: Sequence[str], *, denied: bool) -> None:
        """See the port. The answer this is about leaves; the next question finds the client suspended.

        Who agreed to this client is no miss of it, though it asked for a field too many or once too often today: that is
        refused, and is no scraping.
        """
        if caller.kind is not CallerKind.PARTNER:
            return
        missed = sorted(set(asked) - set(found))
        if missed:
            agreed = await self._consents.who_agreed(caller.client_id, missed)
            asked = [subject for subject in asked if subject not in agreed]
        counts = await self._meters.count(caller.client_id, asked, found, denied=denied)
        await self._judge(caller, counts)

    async def _after_refusal(self, caller: Caller, code: str) -> None:
        if code == "CLIENT_SUSPENDED":
            unfinished = await self._meters.unfinished(caller.client_id)
            if unfinished is not None:  # whoever began it did not live to end it
                await self._carry_out(caller, unfinished, "")
            return
        times = self._refused[caller.client_id] = self._refused.get(caller.client_id, 0) + 1
        if times % _LOOK_EVERY == 0:
            await self._judge(caller, await self._meters.counts(caller.client_id))

    async def _judge(self, caller: Caller, counts: Sequence[Counts]) -> None:
        rule = self._rules.broken(counts, self._allowance)
        if rule is None:
            return
        pack = {"rule": rule, "rules": asdict(self._rules), "counts": [asdict(one) for one in counts]}
        suspension_id = await self._meters.suspend(caller.client_id, caller.org_id, rule, pack)
        if suspension_id is not None:
            await self._carry_out(caller, suspension_id, rule)

    async def _carry_out(self, caller: Caller, suspension_id: str, rule: str) -> None:
        """Each step may be done twice; only after the last is the suspension marked as carried out."""
        await self._clients.disable(caller.client_id, actor_org="", actor_user="partner-limits")
        await self._revoker.revoke_client(caller.client_id)
        detail = {"suspension": suspension_id} | ({"rule": rule} if rule else {})
        alert = Alert("A12_PARTNER_SCRAPE", "S1", "PARTNER", caller.client_id, caller.org_id, detail=detail)
        await self._alerts.raise_alert(alert)
        await self._meters.finished(suspension_id)
        _log.warning("client_suspended", client=caller.client_id, rule=rule)
