"""Where a login may lead on to: pages of ours that are named here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from gateway.web.forms import FormInvalid, parse_form

HOME = "/login"
_PAGES: Mapping[str, frozenset[str]] = {
    "/graphql": frozenset(),
    "/counter": frozenset(),
    "/oauth/authorize": frozenset({"client_id", "request_uri"}),
}
_LONGEST = 1024


def go_on(asked: str | None) -> str:
    """`asked` put together anew from its known parts, HOME where it is no page of ours: never an address elsewhere."""
    if not asked or len(asked) > _LONGEST or not asked.isascii() or not asked.isprintable():
        return HOME
    path, question, query = asked.partition("?")
    names = _PAGES.get(path)
    if names is None:
        return HOME
    try:
        given = parse_form(query.encode("ascii")) if question else {}
    except FormInvalid:
        return HOME
    if not names.issuperset(given):
        return HOME
    return f"{path}?{urlencode(given)}" if given else path


def login_for(path: str, parameters: Mapping[str, str] | None = None) -> str:
    """The login page's address that leads on to a page of ours."""
    target = f"{path}?{urlencode(parameters)}" if parameters else path
    return f"{HOME}?{urlencode({'continue': target})}"
