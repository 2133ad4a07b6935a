"""A person's disputes: said, followed, taken back. No script is needed."""

from __future__ import annotations

from gateway.consent.notice import Both
from gateway.services.disputes.my_disputes import LONGEST, MyDisputes
from gateway.services.disputes.ports import DisputeState
from gateway.web.me_visit import PersonVisit
from gateway.web.problems import Reply
from gateway.web.visit import see_other

_STATES = {
    DisputeState.OPEN: Both("正在核查", "being looked into"),
    DisputeState.CORRECTED: Both("来源已更正", "put right at the source"),
    DisputeState.REFUSED: Both("维持原记录", "the record stands"),
    DisputeState.WITHDRAWN: Both("您已撤回", "you took it back"),
}


class DisputePages:
    """Each method answers one URL."""

    def __init__(self, disputes: MyDisputes) -> None:
        self._disputes = disputes

    async def all(self, visit: PersonVisit) -> Reply:
        """`GET /me/disputes`."""
        shown = await self._disputes.all(await visit.person())
        return visit.page("me_disputes.html", disputes=[(one, _STATES[one.dispute.state]) for one in shown])

    async def form(self, visit: PersonVisit) -> Reply:
        """`GET /me/disputes/new?about=NOUN`: first of what, then which fact of it."""
        await visit.person()
        about = visit.asked.get("about", "")
        nouns = self._disputes.disputable()
        chosen = next((one for one in nouns if one.noun == about), None)
        return visit.page("me_dispute.html", nouns=nouns, chosen=chosen, longest=LONGEST)

    async def open(self, visit: PersonVisit) -> Reply:
        """`POST /me/disputes`."""
        form = await visit.form()
        await self._disputes.open(await visit.person(), form.get("fact", ""), form.get("statement", ""))
        return see_other("/me/disputes")

    async def withdraw(self, visit: PersonVisit) -> Reply:
        """`POST /me/disputes/{dispute_id}/withdraw`."""
        await visit.form()
        await self._disputes.withdraw(await visit.person(), visit.part("dispute_id"))
        return see_other("/me/disputes")
