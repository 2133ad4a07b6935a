"""What the parts of one level have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.federation.catalog import Offer
from gateway.federation.disputed import DisputedFacts, Undisputed
from gateway.federation.shapes import Shape


class View:
    """What parts have in common that were asked of the same sources and show the same: made once a level."""

    __slots__ = ("disputed", "now", "offers", "plain", "shape")

    def __init__(
        self, shape: Shape, offers: Sequence[Offer], now: datetime, disputed: DisputedFacts | None = None
    ) -> None:
        self.shape, self.offers, self.now, self.plain = shape, offers, now, shape.plain
        self.disputed: DisputedFacts = disputed or Undisputed()
