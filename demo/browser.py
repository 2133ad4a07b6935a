"""A browser without scripts, for the demo's own visitors: keeps cookies, follows redirects, sends forms."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from demo.forms import Form, forms_of
from demo.places import write_private
from demo.talk import NoAnswer

_MOST_STEPS = 10


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    text: str

    @property
    def forms(self) -> list[Form]:
        return forms_of(self.text)

    def form(self, action: str) -> Form:
        """The form that goes to `action`. Raises NoAnswer where the page has none."""
        for form in self.forms:
            if urlsplit(urljoin(self.url, form.action)).path == action:
                return form
        raise NoAnswer(f"{urlsplit(self.url).path}: 页面上没有所需的表单 / the page has no form for {action}")


@dataclass
class Browser:
    """One visitor at one site. With `profile`, cookies outlive it, as in a browser that was not closed."""

    profile: Path | None = None
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.profile is not None and self.profile.exists():
            self.cookies = json.loads(self.profile.read_text(encoding="utf-8"))

    def get(self, url: str, *, until: str = "") -> Page | str:
        """The page `url` leads to; the address itself as soon as a redirect goes to one that begins with `until`."""
        return self._go("GET", url, None, until)

    def send(self, page: Page, form: Form, fields: Mapping[str, str], *, until: str = "") -> Page | str:
        return self._go("POST", urljoin(page.url, form.action), fields, until)

    def page(self, found: Page | str) -> Page:
        if isinstance(found, str):
            raise NoAnswer("意外的跳转 / an unexpected redirect")
        return found

    def _go(self, method: str, url: str, fields: Mapping[str, str] | None, until: str) -> Page | str:
        for _ in range(_MOST_STEPS):
            status, headers, text = self._once(method, url, fields)
            location = headers.get("location")
            if status not in (302, 303) or location is None:
                return Page(url, status, text)
            url = urljoin(url, location)
            if until and url.startswith(until):
                return url
            method, fields = "GET", None
        raise NoAnswer(f"{urlsplit(url).netloc}: 跳转过多 / it redirects without end")

    def _once(
        self, method: str, url: str, fields: Mapping[str, str] | None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        parts = urlsplit(url)
        headers = {"accept": "text/html", "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if fields is not None:
            headers |= {
                "content-type": "application/x-www-form-urlencoded",
                "origin": f"{parts.scheme}://{parts.netloc}",
            }
        data = None if fields is None else urlencode(fields).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            try:
                answer = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay()).open(request, timeout=30)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                self._keep(answer.headers)
                return int(answer.status), answer.headers, answer.read().decode("utf-8", "replace")
        except OSError as error:
            raise NoAnswer(f"{parts.netloc}: {error}") from None

    def _keep(self, headers: http.client.HTTPMessage) -> None:
        for line in headers.get_all("set-cookie") or ():
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        if self.profile is not None:
            write_private(self.profile, json.dumps(self.cookies))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are ours to follow: one of them carries the code."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None
