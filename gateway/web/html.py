"""Pages for people: plain HTML from templates, one style sheet of our own, no script unless a page names one, no frame.

Texts stand in the templates, Chinese first and English beside it; sentences chosen by code come from `messages.toml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from starlette.types import Receive, Scope, Send

from gateway.web.problems import Refusal, Reply

HTML = b"text/html; charset=utf-8"
_FILES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8"}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("gateway.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy_of(*, script: bool = False, form_to: Sequence[str] = ()) -> bytes:
    """The Content-Security-Policy of a page: nothing but our own style, and script where the page has one.

    `form_to`: origins a form's answer may be redirected to besides ours (browsers check form-action on redirects).
    """
    scripts = "'self'" if script else "'none'"
    forms = " ".join(("'self'", *form_to))
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src {scripts}; connect-src {scripts}; "
        f"form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    ).encode()


def page(
    template: str,
    *,
    status: int = 200,
    headers: Sequence[tuple[bytes, bytes]] = (),
    script: bool = False,
    form_to: Sequence[str] = (),
    **values: Any,
) -> Reply:
    """The rendered page. Every value is escaped; one that is missing is an error, not a gap."""
    body = _environment().get_template(template).render(**values).encode()
    extra = [
        (b"content-security-policy", policy_of(script=script, form_to=form_to)),
        (b"cache-control", b"no-store"),
        (b"x-frame-options", b"DENY"),
        *headers,
    ]
    return Reply(status, body, HTML, extra)


class PageFiles:
    """`/static/{file}`: our own style sheet and scripts, from the wheel."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["file"]
        found = _file(name)
        if found is None:
            raise Refusal("NOT_FOUND")
        tag, kind, body = found
        extra = [(b"etag", tag), (b"cache-control", b"no-cache")]
        if dict(scope["headers"]).get(b"if-none-match") == tag:
            await Reply(304, b"", kind, extra)(scope, receive, send)
            return
        await Reply(200, body, kind, extra)(scope, receive, send)


def style(name: str) -> str:
    """A style sheet's text, for pages that must stand alone."""
    return _files()[name][2].decode()


def _file(name: str) -> tuple[bytes, bytes, bytes] | None:
    return _files().get(name)


@cache
def _files() -> dict[str, tuple[bytes, bytes, bytes]]:
    found = {}
    for file in resources.files("gateway.web").joinpath("static", "pages").iterdir():
        kind = _FILES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = (b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode(), kind, body)
    return found
