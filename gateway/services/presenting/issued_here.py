"""Our own credentials by their places: how they stand now, whether one person holds them, how old their facts are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from gateway.errors import GatewayError
from gateway.services.credentials.ports import CredentialState, Issued, IssuedCredentials, Place


class IssuedHere:
    """Implements `OwnCredentials`; of anybody else's credentials it knows nothing."""

    def __init__(self, issued: IssuedCredentials, *, uri_prefix: str) -> None:
        self._issued, self._prefix = issued, uri_prefix

    async def at(self, place: tuple[str, int]) -> Issued | None:
        uri, index = place
        if not uri.startswith(self._prefix):
            return None
        try:
            return await self._issued.at(Place(uri.removeprefix(self._prefix), index))
        except GatewayError:  # whoever it was is erased: then it is nobody's
            return None

    async def fault(self, shown: Sequence[tuple[tuple[str, int], str]]) -> str | None:
        """See the port."""
        subjects = set()
        for place, holder in shown:
            found = await self.at(place)
            if found is None:
                return "status_unknown"
            if found.state is not CredentialState.VALID:
                return "revoked" if found.state is CredentialState.REVOKED else "suspended"
            if found.jkt != holder:
                return "not_issued"
            subjects.add(found.subject_id)
        return "holders" if len(subjects) > 1 else None

    async def facts_as_of(self, place: tuple[str, int]) -> datetime | None:
        """See the port; not by which department, which would say more than the claim."""
        found = await self.at(place)
        if found is None or not found.facts:
            return None
        known = [one["as_of"] for one in orjson.loads(found.facts)["sources"] if one["as_of"] is not None]
        return min((datetime.fromisoformat(one) for one in known), default=None)
