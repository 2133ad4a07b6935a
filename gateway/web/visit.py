"""One request to a page: its cookies, its form, its language-free facts; and the answers every page gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Receive, Scope

from gateway.web.forms import FormInvalid, parse_form, read_form
from gateway.web.html import HTML
from gateway.web.problems import Refusal, Reply
from gateway.web.session import Cookie, FormGuard

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Visit:
    scope: Scope
    receive: Receive = field(repr=False)

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def headers(self) -> Headers:
        found: Headers = self.scope["headers"]
        return found

    def cookie(self, cookie: Cookie) -> str | None:
        return cookie.read(self.headers)

    def query(self) -> dict[str, str]:
        """The parameters, each once. Raises Refusal BAD_FORM."""
        try:
            return parse_form(self.scope["query_string"])
        except FormInvalid:
            raise Refusal("BAD_FORM") from None

    async def form(self, guard: FormGuard, cookie: str | None) -> dict[str, str]:
        """A form of ours. Raises Refusal BAD_FORM, FORM_NOT_OURS."""
        try:
            form = await read_form(self.receive, dict(self.headers))
        except FormInvalid:
            raise Refusal("BAD_FORM") from None
        guard.check(self.headers, form, cookie)
        return form

    def only(self, *methods: str) -> None:
        """Raises Refusal METHOD_NOT_ALLOWED for any other."""
        if self.method not in methods:
            raise Refusal("METHOD_NOT_ALLOWED", [(b"allow", ", ".join(methods).encode())])


def see_other(where: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    """303: the browser GETs `where`, and never sends the form's content along (RFC 9110, section 15.4.4)."""
    return Reply(303, b"", HTML, [(b"location", where.encode("ascii")), *headers])
