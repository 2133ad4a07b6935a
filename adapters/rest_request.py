"""The form of `[answers.request]` for kind "rest", read once and with all its faults (docs/guides/manifest.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.body_writer import BodyWriter
from adapters.manifest import AnswerSpec
from adapters.manifest_form import did_you_mean, shown
from adapters.outcomes import NO_TABLE, OutcomeTable, read_outcomes
from adapters.templates import BodyTemplate, Template, TemplateFault, compile_body, compile_text

MODES: Final = ("key", "batch", "pages")
_ENTRIES: Final = frozenset(
    (
        "mode",
        "method",
        "path",
        "query",
        "body",
        "each",
        "rows",
        "explode",
        "key_echo",
        "total",
        "page",
        "outcome",
        "absent_status",
        "format",
        "encoding",
    )
)
_MAX_PAGES: Final = 200


@dataclass(frozen=True, slots=True)
class Paging:
    """Where the page number and size go, and how far we follow."""

    number: str
    size: str
    rows: int
    first: int
    max: int


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One checked request: what is sent and how the answer is read. Empty texts mean "not given"."""

    mode: str
    method: str
    path: Template
    query: tuple[tuple[str, Template], ...]
    body: BodyTemplate | None
    writer: BodyWriter | None  # of `body`
    rows: str
    explode: str
    key_echo: Mapping[str, str]
    total: str
    page: Paging | None
    outcome: OutcomeTable
    absent_status: frozenset[int]
    xml: bool
    encoding: str | None
    fixed_path: str | None = None  # escaped; where no part of a key stands in it
    echoes: str = ""  # in batch mode, where the ID number is all of a key that a record repeats: its raw name


class _Reader:
    """Takes entries out of the table one by one and notes what is wrong with them."""

    def __init__(self, answer: AnswerSpec, at: str) -> None:
        self.by, self.request, self.at = answer.by, answer.request, at
        self.faults: list[tuple[str, str]] = []

    def fault(self, entry: str, message: str) -> None:
        self.faults.append((f"{self.at}.{entry}", message))

    def text(self, entry: str, default: str = "", choices: tuple[str, ...] = ()) -> str:
        value = self.request.get(entry, default)
        if not isinstance(value, str):
            self.fault(entry, "must be a text")
            return default
        if choices and value not in choices:
            self.fault(entry, f"{entry} = {shown(value)} is none of its values{did_you_mean(value, choices)}")
            return default
        return value

    def table(self, entry: str) -> Mapping[str, Any]:
        value = self.request.get(entry, {})
        if isinstance(value, Mapping):
            return value
        self.fault(entry, "must be a table")
        return {}

    def template(self, entry: str, text: object) -> Template:
        try:
            if not isinstance(text, str):
                raise TemplateFault("must be a text")
            return compile_text(text, self.by)
        except TemplateFault as fault:
            self.fault(entry, str(fault))
            return Template((), self.by)

    def body(self, batch: bool) -> BodyTemplate | None:
        value, each = self.request.get("body"), self.request.get("each")
        if value is None:
            return None
        try:
            return compile_body(value, self.by, batch=batch, each=each)
        except TemplateFault as fault:
            self.fault("body", str(fault))
            return None


def read_request(answer: AnswerSpec, at: str) -> tuple[RestRequest, list[tuple[str, str]]]:
    """The request of `answer` and every fault of it, `at` being its dotted path. Usable only without faults."""
    form = _Reader(answer, at)
    for entry in sorted(set(answer.request) - _ENTRIES):
        form.fault(entry, f"unknown entry {entry}; known are {', '.join(sorted(_ENTRIES))}")
    mode = form.text("mode", "key", MODES)
    batch = mode == "batch"
    method = form.text("method", "GET", ("GET", "POST"))
    path = form.text("path")
    if not path.startswith("/"):
        form.fault("path", "must start with /")
    body = form.body(batch)
    if body is not None and method != "POST":
        form.fault("body", 'needs method = "POST"')
    query = tuple((name, form.template(f"query.{name}", text)) for name, text in form.table("query").items())
    path_template = form.template("path", path)
    if batch and any(isinstance(piece, int) for t in (path_template, *(t for _, t in query)) for piece in t.pieces):
        form.fault("query", "one key's part in a request for many; in batch mode keys go into the body")
    if batch and (method != "POST" or answer.request.get("body") is None):
        form.fault("body", "batch mode sends its keys in the body of a POST")
    outcome, faults = (
        read_outcomes(form.table("outcome"), f"{at}.outcome") if "outcome" in answer.request else (NO_TABLE, [])
    )
    form.faults += faults
    encoding = form.text("encoding", choices=("", "utf-8", "gbk", "gb18030"))
    xml = form.text("format", "json", ("json", "xml")) == "xml"
    if encoding and not xml:
        form.fault("encoding", 'only with format = "xml"; JSON is UTF-8')
    explode = form.text("explode")
    if explode and mode != "key":
        form.fault("explode", 'only with mode = "key"')
    key_echo = _key_echo(form, batch)
    request = RestRequest(
        mode=mode,
        method=method,
        path=path_template,
        query=query,
        body=body,
        writer=BodyWriter(body) if body is not None else None,
        rows=form.text("rows"),
        explode=explode,
        key_echo=key_echo,
        total=form.text("total"),
        page=_paging(form, mode),
        outcome=outcome,
        absent_status=_statuses(form),
        xml=xml,
        encoding=encoding or None,
        fixed_path=None if any(isinstance(p, int) for p in path_template.pieces) else path_template.render_path(()),
        echoes=key_echo["idNo"] if batch and key_echo.keys() == {"idNo"} else "",
    )
    return request, form.faults


def _key_echo(form: _Reader, batch: bool) -> Mapping[str, str]:
    echo = {name: raw for name, raw in form.table("key_echo").items() if isinstance(raw, str)}
    for name in form.table("key_echo"):
        if name not in form.by or name not in echo:
            form.fault(f"key_echo.{name}", f"a key part ({', '.join(form.by)}) and the raw field that repeats it")
    if batch and not echo:
        form.fault("key_echo", "missing: batch mode must know which key a record answers")
    return echo


def _paging(form: _Reader, mode: str) -> Paging | None:
    table = form.table("page")
    if mode != "pages":
        if table:
            form.fault("page", 'only with mode = "pages"')
        return None
    for entry in ("number", "size"):
        if not isinstance(table.get(entry), str) or not table.get(entry):
            form.fault(f"page.{entry}", "missing: the name under which it is sent")
    numbers = {"rows": (50, 1, 1000), "first": (1, 0, 1), "max": (20, 1, _MAX_PAGES)}
    got: dict[str, int] = {}
    for entry, (default, least, most) in numbers.items():
        value = table.get(entry, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            form.fault(f"page.{entry}", f"a whole number from {least} to {most}")
            value = default
        got[entry] = value
    for entry in set(table) - {"number", "size", *numbers}:
        form.fault(f"page.{entry}", "unknown entry")
    return Paging(str(table.get("number", "")), str(table.get("size", "")), got["rows"], got["first"], got["max"])


def _statuses(form: _Reader) -> frozenset[int]:
    value = form.request.get("absent_status", ())
    if not isinstance(value, list | tuple) or not all(isinstance(s, int) and 400 <= s < 500 for s in value):
        form.fault("absent_status", "a list of HTTP statuses from 400 to 499")
        return frozenset()
    if {401, 403, 408, 429} & set(value):
        form.fault("absent_status", "401, 403, 408 and 429 never mean that there is no record")
    return frozenset(value)
