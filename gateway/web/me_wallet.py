"""A wallet asks for a person's document: who it is, what it wants, from whom; yes or no, and back to the wallet with 303.

`/oauth/authorize` sends browsers here. What cannot be trusted is said on a page and never redirected.
"""

from __future__ import annotations

from collections.abc import Mapping

from credentials.credential_type import CredentialType, split_configuration
from gateway.consent.notice import Both
from gateway.errors import RequestRefused
from gateway.oauth.errors import OAuthError
from gateway.oauth.terms import REQUEST_URI
from gateway.services.authorize import PendingAuthorization
from gateway.services.credentials.authorize_wallet import AuthorizeWallet, WalletAsks
from gateway.services.words import Words
from gateway.web.me_visit import PersonVisit
from gateway.web.problems import Reply, catalogue, status_of, text
from gateway.web.visit import see_other

PATH = "/me/wallet"


class WalletPages:
    """GET shows, POST decides; the request is spent by the decision alone."""

    def __init__(self, wallets: AuthorizeWallet, words: Words, types: Mapping[str, CredentialType]) -> None:
        self._wallets, self._words, self._types = wallets, words, types

    async def show(self, visit: PersonVisit) -> Reply:
        """`GET /me/wallet`: with the two parameters of the authorization endpoint, or where the cookie says what waits."""
        try:
            return await self._show(visit)
        except OAuthError as error:
            return _refused(visit, error)
        except RequestRefused as error:
            return _over(visit, visit.page("me_message.html", status_of(error.code), text=text(error.code)))

    async def decide(self, visit: PersonVisit) -> Reply:
        """`POST /me/wallet`."""
        form = await visit.form()
        tail = visit.wallet
        try:
            if tail is None:
                raise OAuthError("invalid_request_uri", "invalid_request_uri")
            pending = await self._wallets.resume(tail)
            person = await visit.person()
            if form.get("decision") == "approve":
                where = await self._wallets.approve(await self._wallets.asks(pending, person), person)
            elif form.get("decision") == "deny":
                where = await self._wallets.deny(pending)
            else:
                raise OAuthError("invalid_request", "BAD_FORM")
        except OAuthError as error:
            return _refused(visit, error)
        except RequestRefused as error:
            return _over(visit, visit.page("me_message.html", status_of(error.code), text=text(error.code)))
        return see_other(where, [visit.desk.wallet.clear()])

    async def _show(self, visit: PersonVisit) -> Reply:
        if "request_uri" in visit.asked:
            uri = visit.asked["request_uri"]
            await self._wallets.load(visit.asked.get("client_id", ""), uri)
            # The address bar forgets it: what waits goes along in a cookie, whichever way the person comes in.
            return see_other(PATH, [visit.desk.wallet.set(uri.removeprefix(REQUEST_URI))])
        if visit.wallet is None:
            return see_other("/me")
        pending = await self._wallets.resume(visit.wallet)
        person = await visit.desk.door.person(visit.session)
        if person is None:
            return await self._way_in(pending)
        return await self._page(visit, await self._wallets.asks(pending, person))

    async def _way_in(self, pending: PendingAuthorization) -> Reply:
        token = await self._wallets.way_in(pending)
        return see_other("/me" if token is None else f"/me/l/{token}")

    async def _page(self, visit: PersonVisit, asks: WalletAsks) -> Reply:
        pending = asks.pending
        return visit.page(
            "me_wallet.html",
            form_to=(pending.redirect_host,),
            wallet=pending.client_name,
            provider=await self._words.organisation(pending.org_id),
            back=pending.redirect_host,
            documents=[self._document(one) for one in asks.configuration_ids],
            body=await self._words.organisation(asks.acting.org_id),
        )

    def _document(self, configuration_id: str) -> Both:
        found = self._types.get(split_configuration(configuration_id)[0])
        return Both(configuration_id, configuration_id) if found is None else Both(found.name.zh, found.name.en)


def _refused(visit: PersonVisit, error: OAuthError) -> Reply:
    known = catalogue()
    said = text(next((key for key in (error.reason, error.code) if key in known), "AUTHORIZE_REFUSED"))
    return _over(visit, visit.page("authorize_error.html", 400, code=error.code, notice=said))


def _over(visit: PersonVisit, reply: Reply) -> Reply:
    """Nothing waits any more, and the person's own pages are there again."""
    reply.headers.append(visit.desk.wallet.clear())
    return reply
