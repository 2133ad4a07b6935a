"""A person's documents: what they say, get one again, end one. No script is needed."""

from __future__ import annotations

from gateway.services.credentials.my_credentials import MyCredentials
from gateway.web.me_visit import PersonVisit
from gateway.web.problems import Reply
from gateway.web.visit import see_other


class CredentialPages:
    """Each method answers one URL."""

    def __init__(self, mine: MyCredentials) -> None:
        self._mine = mine

    async def all(self, visit: PersonVisit) -> Reply:
        """`GET /me/credentials`."""
        return visit.page("me_credentials.html", documents=await self._mine.all(await visit.person()))

    async def again(self, visit: PersonVisit) -> Reply:
        """`POST /me/credentials/{batch_id}/again`: on to the wallet with a fresh offer."""
        await visit.form()
        return see_other(await self._mine.again(await visit.person(), visit.part("batch_id")))

    async def end(self, visit: PersonVisit) -> Reply:
        """`POST /me/credentials/{batch_id}/end`."""
        await visit.form()
        await self._mine.end(await visit.person(), visit.part("batch_id"))
        return see_other("/me/credentials")
