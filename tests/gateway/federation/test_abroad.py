"""Which gateways a question that came from a gateway is put to: none, unless a hub says so, and never one it came through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.onward import Onward, UpstreamReceipt
from adapters.source import Absent
from gateway.federation.abroad import MOST_RECEIPTS, Abroad
from gateway.federation.catalog import Offer, offers_of
from tests.fakes.federated import opened

(OWN,) = offers_of([opened("LGB", "residence", {"address": "dz"}, [])[0]])["residence"]


def other(name: str, hops: int = 0) -> Offer:
    return replace(OWN, code=name, hops=hops, names=frozenset({f"{name.lower()}.example"}))


def onward(*via: str) -> Onward:
    return Onward("CC_TRANSFER", None, "x", via)


@pytest.mark.parametrize(
    ("via", "hops", "asked"),
    [
        (("us",), 0, True),  # of our own people
        (("a.example", "us"), 0, False),
        (("a.example", "us"), 1, True),
        (("a.example", "c.example", "us"), 1, False),
        (("b.example", "us"), 3, False),  # it came from there
        (("a.example", "b.example", "us"), 3, False),
    ],
)
def test_who_is_asked(via: tuple[str, ...], hops: int, asked: bool) -> None:
    offers = [OWN, other("B", hops)]
    assert list(Abroad(onward(*via)).asked(offers)) == (offers if asked else [OWN])


def test_departments_are_told_nothing() -> None:
    abroad = Abroad(onward("us"))
    assert abroad.along(OWN) is None
    assert abroad.along(other("B")) == onward("us")
    assert Abroad(None).asked([OWN]) == [OWN]


def test_equal_receipts_are_kept_once_and_not_without_end() -> None:
    abroad = Abroad(onward("us"))
    abroad.keep([Absent(receipt=UpstreamReceipt("B", id="1")), Absent(receipt=UpstreamReceipt("B", id="1")), Absent()])
    assert [one.id for one in abroad.receipts] == ["1"]
    abroad.keep([Absent(receipt=UpstreamReceipt("B", id=str(at))) for at in range(2 * MOST_RECEIPTS)])
    assert len(abroad.receipts) == MOST_RECEIPTS
