"""The text of a request's operation: as sent, or by the id of a document that is trusted."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import RequestRefused
from gateway.services.execute import GraphQLRequest


def document_text(request: GraphQLRequest, trusted: Mapping[str, str], *, trusted_only: bool) -> str:
    """Raises RequestRefused."""
    if request.document_id is not None:
        text = trusted.get(request.document_id)
        if text is None:
            raise RequestRefused("PERSISTED_QUERY_NOT_FOUND")
        if request.query is not None and request.query != text:
            raise RequestRefused("DOCUMENT_ID_MISMATCH")
        return text
    if trusted_only:
        raise RequestRefused("TRUSTED_DOCUMENTS_ONLY")
    if request.query is None:
        raise RequestRefused("QUERY_MISSING")
    return request.query
