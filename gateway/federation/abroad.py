"""One operation's dealings with sources that are gateways themselves: which are asked, what goes along, what is kept."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.onward import Onward, UpstreamReceipt
from adapters.source import Answer
from gateway.federation.catalog import Offer

MOST_RECEIPTS = 256
"""Of one operation; a batch is one receipt. What is more is counted by the other side alone."""


class Abroad:
    """`onward` None: there is no gateway among the sources, and nothing here costs anything."""

    __slots__ = ("_before", "_onward", "_receipts")

    def __init__(self, onward: Onward | None) -> None:
        self._onward = onward
        self._before = () if onward is None else onward.via[:-1]  # the last one is ourselves
        self._receipts: dict[UpstreamReceipt, None] = {}

    def asked(self, offers: Sequence[Offer]) -> Sequence[Offer]:
        """Without the gateways that a question which comes from a gateway is not put to. What one district tells another
        is what its own departments say: so nothing goes round in circles, and nothing is told twice."""
        if not self._before:
            return offers
        before = self._before
        return [one for one in offers if one.hops is None or (len(before) <= one.hops and one.names.isdisjoint(before))]

    def along(self, offer: Offer) -> Onward | None:
        return None if offer.hops is None else self._onward

    def keep(self, answers: Sequence[Answer]) -> None:
        """Of an offer that is a gateway's."""
        for answer in answers:
            if answer.receipt is not None and len(self._receipts) < MOST_RECEIPTS:
                self._receipts[answer.receipt] = None

    @property
    def receipts(self) -> Sequence[UpstreamReceipt]:
        """In the order they came."""
        return tuple(self._receipts)
