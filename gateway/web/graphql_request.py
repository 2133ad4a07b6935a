"""From the bytes of an HTTP request to a `GraphQLRequest`: shapes are checked here, contents are not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from gateway.services.execute import GraphQLRequest
from gateway.web.negotiation import media_type
from gateway.web.problems import Refusal
from gateway.web.strict_json import loads

_DOCUMENT_ID = re.compile(r"sha256:[0-9a-f]{64}")
# What a page of another site cannot send without asking first (a CORS preflight), and so cannot send at all.
_NOT_SIMPLE = (
    b"graphql-require-preflight",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"x-requested-with",
)
_TEXT, _OBJECT = (str, type(None)), (dict, type(None))  # a union would be made anew for every request
_PARAMETERS = ("query", "operationName", "variables", "extensions", "documentId")


def check_preflight(headers: Mapping[bytes, bytes]) -> None:
    """Raises Refusal PREFLIGHT_REQUIRED for a GET that a page of another site could have sent."""
    if not any(name in headers for name in _NOT_SIMPLE):
        kind, _ = media_type(headers.get(b"content-type", b"").decode("latin-1"))
        if kind != "application/json":
            raise Refusal("PREFLIGHT_REQUIRED")


def from_body(raw: bytes, *, depth: int) -> GraphQLRequest:
    """The request a POST carries."""
    value = loads(raw, depth=depth)
    if isinstance(value, list):
        raise Refusal("BATCH_REFUSED")
    return from_object(value)


def from_url(query_string: bytes, *, depth: int) -> GraphQLRequest:
    """The request a GET carries in its URL."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except UnicodeDecodeError:
        raise Refusal("INVALID_UTF8") from None
    except ValueError:  # more parameters than anybody needs
        raise Refusal("INVALID_REQUEST") from None
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in given:
            raise Refusal("DUPLICATE_KEY")
        if name in _PARAMETERS:
            given[name] = value
    for name in ("variables", "extensions"):
        if given.get(name):
            given[name] = loads(given[name].encode(), depth=depth)
        else:
            given.pop(name, None)
    if not given.get("operationName"):
        given.pop("operationName", None)
    return from_object(given, method="GET")


def from_object(value: Any, *, method: str = "POST") -> GraphQLRequest:
    """The request in an object of any transport. Unknown members are left alone, as the specification asks."""
    if not isinstance(value, dict):
        raise Refusal("NOT_AN_OBJECT")
    query, name, variables, extensions, document_id = map(value.get, _PARAMETERS)
    if (
        not isinstance(query, _TEXT)
        or not isinstance(name, _TEXT)
        or not isinstance(variables, _OBJECT)
        or not isinstance(extensions, _OBJECT)
        or not isinstance(document_id, _TEXT)
    ):
        raise Refusal("INVALID_REQUEST")
    if extensions:
        document_id = _persisted(extensions, document_id)
    if document_id is not None:
        _check_document_id(document_id, query)
    if not query and document_id is None:
        raise Refusal("QUERY_MISSING")
    return GraphQLRequest(query or None, name, variables or {}, document_id, method)


def _persisted(extensions: Mapping[str, Any], document_id: str | None) -> str | None:
    """The document id of `extensions.persistedQuery.sha256Hash`, where Apollo's clients put it."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return document_id
    if not isinstance(persisted, dict) or not isinstance(persisted.get("sha256Hash"), str):
        raise Refusal("INVALID_REQUEST")
    found = f"sha256:{persisted['sha256Hash'].lower()}"
    if document_id not in (None, found):
        raise Refusal("DOCUMENT_ID_MISMATCH")
    return found


def _check_document_id(document_id: str, query: str | None) -> None:
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise Refusal("DOCUMENT_ID_INVALID")
    if query and hashlib.sha256(query.encode()).hexdigest() != document_id[7:]:
        raise Refusal("DOCUMENT_ID_MISMATCH")
