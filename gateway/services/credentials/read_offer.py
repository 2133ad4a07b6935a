"""An offer as a wallet reads it. Looking spends nothing; that it was looked at is noted once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from adapters.identity import mask_name
from credentials.openid4vci.offer import authorization_offer, pre_authorized_offer
from gateway.clock import Clock
from gateway.services.credentials.ports import PRE_AUTHORIZED, Offers, OfferState

MASKED_NAME = "masked_name"
"""A member of ours beside those of the standard (OpenID4VCI 1.0, 4.1.1: whoever does not know it ignores it)."""


class NamedPersons(Protocol):
    async def name(self, subject_id: str) -> str | None:
        """As enrolled; None where it is not kept, or the person was erased or must look unknown."""
        ...


class MaskedName:
    """A name like 张*: enough for a person to see that the document is theirs, and too little for whoever else holds the link."""

    def __init__(self, persons: NamedPersons) -> None:
        self._persons = persons

    async def __call__(self, subject_id: str) -> str | None:
        """None where no name is to be said. Raises StoreUnavailable."""
        name = await self._persons.name(subject_id)
        return None if name is None else mask_name(name) or None


class ReadOffer:
    def __init__(
        self,
        offers: Offers,
        code_of: Callable[[str], str],
        clock: Clock,
        *,
        issuer: str,
        tx_digits: int,
        tx_description: str,
        masked_name: Callable[[str], Awaitable[str | None]] | None = None,
    ) -> None:
        """`tx_description`: what the wallet shows where it asks for the transaction code; 300 characters at most."""
        self._offers, self._code_of, self._clock = offers, code_of, clock
        self._issuer, self._tx_digits, self._tx_description = issuer, tx_digits, tx_description
        self._masked_name = masked_name

    async def __call__(self, reference: str, *, opened: bool = True) -> Mapping[str, Any] | None:
        """The offer's JSON (OpenID4VCI 1.0, 4.1.1); None where it is unknown, taken, burnt, cancelled or past.

        `opened` False: a look at whether it is there, and no line in the timeline."""
        offer = await self._offers.by_reference(reference)
        if offer is None or offer.state is not OfferState.OPEN or offer.expires_at <= self._clock.now():
            return None
        if opened:
            await self._offers.note(offer.offer_id, "OPENED")
        if offer.flow == PRE_AUTHORIZED:
            said = pre_authorized_offer(
                self._issuer,
                offer.configuration_ids,
                self._code_of(offer.offer_id),
                tx_digits=self._tx_digits if offer.tx_code else None,
                tx_description=self._tx_description,
            )
        else:
            said = authorization_offer(self._issuer, offer.configuration_ids, offer.reference)
        name = None if self._masked_name is None else await self._masked_name(offer.subject_id)
        return said if name is None else {**said, MASKED_NAME: name}
