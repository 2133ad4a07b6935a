"""What became of a request, for whoever made it, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.caller import Caller
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.oauth.ports import Login
from gateway.services.client_limits import ClientLimits
from gateway.services.presenting.create_request import LOOKING_COSTS, check_asker
from gateway.services.presenting.ports import CLERK, OPEN_STEPS, Presentation, Presentations, Step, Taken


class Results:
    """PENDING again and again; then, one time, what came. After that, and for anybody else, it is not there."""

    def __init__(self, presentations: Presentations, limits: ClientLimits, clock: Clock) -> None:
        self._presentations, self._limits, self._clock = presentations, limits, clock

    async def for_partner(self, caller: Caller, presentation_id: str, code: str | None) -> Mapping[str, Any]:
        """`code`: the response code the browser brought, where it is on the same device.

        Raises RequestRefused NOT_FOUND, PRESENTATION_CODE (unanswered by this browser), as `check_asker`."""
        check_asker(caller)
        await self._limits.admit(caller, LOOKING_COSTS)
        return await self._of(presentation_id, caller.client_id, None, code)

    async def clerks(self, login: Login, presentation_id: str) -> Presentation:
        """The request as it stands; reading this spends nothing. Raises RequestRefused NOT_FOUND."""
        found = await self._presentations.find(presentation_id, CLERK, login.user_id)
        if found is None:
            raise RequestRefused("NOT_FOUND")
        return found

    def over(self, presentation: Presentation) -> bool:
        return presentation.expires_at <= self._clock.now()

    async def for_clerk(self, login: Login, presentation_id: str) -> tuple[Presentation, Mapping[str, Any]]:
        """With the request itself, for the page. Raises RequestRefused NOT_FOUND."""
        found = await self.clerks(login, presentation_id)
        return found, await self._of(presentation_id, CLERK, login.user_id, None)

    async def _of(self, presentation_id: str, client: str, user: str | None, code: str | None) -> Mapping[str, Any]:
        found = await self._presentations.find(presentation_id, client, user)
        if found is None or found.step is Step.RETRIEVED:
            raise RequestRefused("NOT_FOUND")
        if found.step in OPEN_STEPS:
            state = "EXPIRED" if self.over(found) else "PENDING"
            return {"id": presentation_id, "state": state}
        taken = await self._presentations.take(presentation_id, client, user, code)
        if taken is None:
            raise RequestRefused("PRESENTATION_CODE" if found.same_device else "NOT_FOUND")
        return told(taken)


def told(taken: Taken) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": taken.presentation.presentation_id,
        "state": taken.step.value,
        "template": taken.presentation.template,
        "reference": taken.presentation.file_mark,
    }
    if taken.reason is not None:
        said["reason"] = taken.reason
    return said | dict(taken.result or {})
