"""A person's consents: read, given, refused, withdrawn, and the receipt to keep."""

from __future__ import annotations

from gateway.consent.consent import ConsentState
from gateway.consent.notice import Both, in_words
from gateway.errors import RequestRefused
from gateway.services.give_consent import ConsentShown, MyConsents
from gateway.web.me_visit import PersonVisit
from gateway.web.problems import Reply, text
from gateway.web.visit import see_other

RECEIPT = b"application/jwt"
_SEALED, _SEAL_FOLLOWS = "CONSENT_SEALED", "CONSENT_SEAL_FOLLOWS"

_STATES = {
    ConsentState.REQUESTED: Both("等您决定", "waiting for your answer"),
    ConsentState.GIVEN: Both("您已同意", "you agreed"),
    ConsentState.REFUSED: Both("您未同意", "you declined"),
    ConsentState.WITHDRAWN: Both("您已撤回", "you withdrew it"),
    ConsentState.EXPIRED: Both("已到期", "it has ended"),
    ConsentState.SUPERSEDED: Both("已由新的同意取代", "replaced by a newer one"),
}


_PROVEN = {ConsentState.GIVEN: "given", ConsentState.REFUSED: "refused", ConsentState.WITHDRAWN: "withdrawn"}
"""What the person did themselves, by its word in the URL of its evidence."""


class ConsentPages:
    """Each method answers one URL."""

    def __init__(self, consents: MyConsents) -> None:
        self._consents = consents

    async def all(self, visit: PersonVisit) -> Reply:
        """`GET /me/consents`."""
        shown = await self._consents.all(await visit.person())
        return visit.page("me_consents.html", consents=[(one, state_of(one)) for one in shown])

    async def one(self, visit: PersonVisit) -> Reply:
        """`GET /me/consents/{consent_id}`."""
        shown = await self._consents.show(await visit.person(), visit.part("consent_id"))
        if shown.notice is None:
            raise RequestRefused("CONSENT_CLOSED")
        events = [(in_words(one.at), _STATES[one.state], _PROVEN.get(one.state)) for one in shown.consent.events]
        return visit.page(
            "me_consent.html",
            shown=shown,
            notice=shown.notice,
            consent=shown.consent,
            state=state_of(shown),
            events=events,
            sealed="" if shown.sealed is None else text(_SEALED if shown.sealed else _SEAL_FOLLOWS),
        )

    async def give(self, visit: PersonVisit) -> Reply:
        """`POST /me/consents/{consent_id}/give`."""
        form = await visit.form()
        consent_id = visit.part("consent_id")
        await self._consents.give(await visit.person(), consent_id, form.get("seen", ""))
        return see_other(f"/me/consents/{consent_id}")

    async def refuse(self, visit: PersonVisit) -> Reply:
        """`POST /me/consents/{consent_id}/refuse`."""
        form = await visit.form()
        consent_id = visit.part("consent_id")
        await self._consents.refuse(await visit.person(), consent_id, form.get("seen", ""))
        return see_other(f"/me/consents/{consent_id}")

    async def withdraw(self, visit: PersonVisit) -> Reply:
        """`POST /me/consents/{consent_id}/withdraw`: one tap, no questions. It must not take a page that can be shown."""
        await visit.form()
        await self._consents.withdraw(await visit.person(), visit.part("consent_id"))
        return see_other("/me/consents")

    async def receipt(self, visit: PersonVisit) -> Reply:
        """`GET /me/consents/{consent_id}/receipt`: a file to keep; anyone can check it against our published keys."""
        consent_id = visit.part("consent_id")
        text = await self._consents.receipt(await visit.person(), consent_id)
        name = b'attachment; filename="consent-receipt.jwt"'
        return Reply(200, text.encode("ascii"), RECEIPT, [(b"content-disposition", name)])


def state_of(shown: ConsentShown) -> Both:
    """What the person reads; time may have ended what no event has ended yet."""
    state = shown.consent.state
    if (state is ConsentState.REQUESTED and not shown.open) or (state is ConsentState.GIVEN and not shown.in_force):
        return _STATES[ConsentState.EXPIRED]
    return _STATES[state]
