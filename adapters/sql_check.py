"""What a manifest's sql parts must say; every fault at once, nothing opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import exc, make_url

from adapters.manifest import AnswerSpec, SourceManifest
from adapters.secrets import is_reference

REQUEST: Final = ("view", "key_columns", "match_on", "order_by", "id_forms", "max_rows")
MOST_ROWS: Final = 10_000


def faults_of(manifest: SourceManifest) -> list[tuple[str, str]]:
    """(dotted path, what to mend) for all that is wrong."""
    found = list(_endpoint(manifest.endpoint))
    found += [(f"source.options.{name}", "kind sql knows no such option") for name in manifest.options]
    for at, answer in enumerate(manifest.answers):
        found += _request(answer, f"answers.{at}.request")
    return found


def _endpoint(endpoint: str) -> Iterator[tuple[str, str]]:
    if is_reference(endpoint):
        return
    try:
        url = make_url(endpoint)
    except (exc.ArgumentError, ValueError):
        yield "source.endpoint", "not a SQLAlchemy URL, say postgresql+psycopg://user@host/name or sqlite:///file.db"
        return
    if url.password is not None:
        yield "source.endpoint", 'a password stands in the manifest; put the URL elsewhere and write "env:NAME"'
    if url.get_backend_name() == "sqlite" and not url.database:
        yield "source.endpoint", "name the SQLite file"


def _request(answer: AnswerSpec, at: str) -> Iterator[tuple[str, str]]:
    request = answer.request
    for name in request:
        if name not in REQUEST:
            yield f"{at}.{name}", f"unknown; sql knows {', '.join(REQUEST)}"
    if not _text(request.get("view")):
        yield f"{at}.view", "name the view, with its schema before a dot if it has one"
    columns = request.get("key_columns")
    if not isinstance(columns, Mapping) or not columns:
        yield f"{at}.key_columns", "say which column holds which key, say { idNo = 'sfzhm' }"
        columns = {}
    for name, column in columns.items():
        if name not in answer.by:
            yield f"{at}.key_columns.{name}", f"no key of this answer ({', '.join(answer.by)})"
        if not _text(column):
            yield f"{at}.key_columns.{name}", "name the column"
    yield from _match_on(request.get("match_on", list(columns)), columns, f"{at}.match_on")
    order_by = request.get("order_by", "")
    if not isinstance(order_by, str):
        yield f"{at}.order_by", "name one column, unique and never empty"
    elif order_by and answer.record_id and order_by != answer.record_id:
        yield f"{at}.order_by", f"must be the record_id ({answer.record_id}): pages go on after the last record's"
    id_forms = request.get("id_forms", ["18", "15"])
    if not isinstance(id_forms, list | tuple) or "18" not in id_forms or not set(map(str, id_forms)) <= {"18", "15"}:
        yield f"{at}.id_forms", 'either ["18", "15"] or ["18"]'
    max_rows = request.get("max_rows", 1)
    if isinstance(max_rows, bool) or not isinstance(max_rows, int) or not 1 <= max_rows <= MOST_ROWS:
        yield f"{at}.max_rows", f"rows a key, 1 to {MOST_ROWS}"


def _match_on(match_on: object, columns: Mapping[str, object], at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(match_on, list | tuple) or not match_on:
        yield at, "a list of the keys that select rows"
        return
    for name in match_on:
        if name not in columns:
            yield at, f"{name} is not among key_columns"


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
