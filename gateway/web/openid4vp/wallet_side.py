"""What wallets call: `GET|POST /openid4vp/requests/{ref}` and `POST /openid4vp/responses/{ref}`, from any origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from starlette.types import Receive, Scope, Send

from credentials.errors import RequestInvalid
from credentials.openid4vp.request_object import MEDIA_TYPE
from credentials.openid4vp.response import LONGEST
from gateway.errors import GatewayError, RequestRefused
from gateway.services.presenting.serve_request import ServeRequest
from gateway.services.presenting.take_answer import TakeAnswer
from gateway.web.forms import FormInvalid, read_form
from gateway.web.problems import JSON, Refusal, Reply, problem

_NO_STORE = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_LARGEST_ASK = 65_536  # wallet_metadata may come along
_NONCES = range(1, 513)
_FORM_GROWS = 2  # a percent-encoded form is longer than what it holds; base64url hardly

_Answer = Callable[[Scope, Receive], Awaitable[Reply]]


class _ForWallets:
    """Refusals are answered here and not further out: a browser of another origin must be able to read them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self.answer(scope, receive)
        except RequestInvalid as invalid:
            reply = _error(invalid.why)
        except (FormInvalid, Refusal) as refused:
            reply = problem(refused.code) if isinstance(refused, Refusal) else _error("form")
        except RequestRefused as refused:
            reply = problem(refused.code)
        except GatewayError as error:
            reply = problem(error.code)
        await reply(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """What each endpoint of its own says."""
        raise NotImplementedError


class RequestObjectEndpoint(_ForWallets):
    """The signed request; a POST may bring `wallet_nonce`, which comes back inside (section 5.10)."""

    def __init__(self, serve: ServeRequest) -> None:
        self._serve = serve

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        nonce = None
        if scope["method"] == "POST":
            if dict(scope["headers"]).get(b"content-length") != b"0":
                form = await read_form(receive, dict(scope["headers"]), limit=_LARGEST_ASK)
                nonce = form.get("wallet_nonce")
            if nonce is not None and (len(nonce) not in _NONCES or not (nonce.isascii() and nonce.isprintable())):
                raise RequestInvalid("wallet_nonce")
        elif scope["method"] != "GET":
            raise Refusal("METHOD_NOT_ALLOWED")
        signed = await self._serve(scope["path_params"]["ref"], nonce)
        return Reply(200, signed.encode(), MEDIA_TYPE.encode(), _NO_STORE)


class ResponseEndpoint(_ForWallets):
    """200 with JSON for every answer that was taken, also for a no and for one that did not hold (section 8.2)."""

    def __init__(self, take: TakeAnswer) -> None:
        self._take = take

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] != "POST":
            raise Refusal("METHOD_NOT_ALLOWED")
        form = await read_form(receive, dict(scope["headers"]), limit=_FORM_GROWS * LONGEST, fields=8)
        taken = await self._take(scope["path_params"]["ref"], form)
        said = {} if taken.redirect_uri is None else {"redirect_uri": taken.redirect_uri}
        return Reply(200, orjson.dumps(said), JSON, _NO_STORE)


_SENTENCES = {
    "size": "the answer is too large",
    "form": "the answer is not a form with vp_token and state, or response",
    "encryption": "the answer is not encrypted to the key of this request",
    "state": "state is missing or is not the one of this request",
    "vp_token": "vp_token is not an object of arrays of presentations",
    "wallet_nonce": "wallet_nonce is not printable ASCII of at most 512 characters",
}


def _error(why: str) -> Reply:
    said = {"error": "invalid_request"} | ({"error_description": _SENTENCES[why]} if why in _SENTENCES else {})
    return Reply(400, orjson.dumps(said), JSON, _NO_STORE)
