"""An offer: what is told once, by which road, and what stops it before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.caller import Message
from gateway.errors import MessagesUnavailable, RequestRefused
from gateway.services.credentials.offer_codes import OfferCodes
from gateway.services.credentials.offer_credential import OfferCredential, OfferTerms
from gateway.services.credentials.ports import AUTHORIZATION_CODE, Acting, Moment, Offer, OfferOrigin
from gateway.services.identities import EnrolledPhone
from gateway.services.ledger.ports import LedgerHalted
from gateway.services.message_texts import text_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
WHO, OTHER = "a" * 32, "b" * 32
ACTING = Acting("SFJ-SHUNDE", "CORRECTION_AGENCY", "440606", "2026-001")
BASE = "https://yimen.example/base"


class HandClock:
    def now(self) -> datetime:
        return NOW


class House:
    """Every port of OfferCredential, in memory."""

    def __init__(self, *, halted: bool = False, silent: bool = False) -> None:
        self.kept: dict[str, tuple[Offer, str | None, str | None]] = {}
        self.moments: dict[str, list[str]] = {}
        self.sent: list[Message] = []
        self.halted, self.silent = halted, silent

    async def add(self, offer: Offer, *, code: str | None, tx_code: str | None) -> None:
        self.kept.setdefault(offer.offer_id, (offer, code, tx_code))

    async def find(self, offer_id: str) -> Offer | None:
        found = self.kept.get(offer_id)
        return None if found is None else found[0]

    async def by_reference(self, reference: str) -> Offer | None:
        raise AssertionError

    async def of_person(self, subject_id: str) -> Sequence[Offer]:
        raise AssertionError

    async def timeline(self, offer_id: str) -> Sequence[Moment]:
        raise AssertionError

    async def cancel(self, offer_id: str, *, actor_org: str, actor_user: str) -> bool:
        raise AssertionError

    async def note(self, offer_id: str, kind: str) -> None:
        self.moments.setdefault(offer_id, []).append(kind)

    async def phone_of(self, subject_id: str) -> EnrolledPhone | None:
        return EnrolledPhone("p", subject_id, "13800138000", NOW, "officer", "SFJ") if subject_id == WHO else None

    async def send(self, message: Message) -> None:
        if self.silent:
            raise MessagesUnavailable("no road")
        self.sent.append(message)

    async def allow(self) -> None:
        if self.halted:
            raise LedgerHalted("halted")

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        return None

    def offering(self, profile: str = "both") -> OfferCredential:
        terms = OfferTerms(BASE, timedelta(days=7), 6, profile)
        codes = OfferCodes(b"c" * 32, b"t" * 32)
        return OfferCredential(
            self, codes, self, self, self, HandClock(), terms, lambda: ["residence", "residence.w3c"]
        )


def asked(**other: Any) -> dict[str, Any]:
    return {
        "acting": ACTING, "actor_user": "officer-1", "origin": OfferOrigin.OFFICER, "subject_id": WHO,
        "configuration_ids": ["residence"],
    } | other  # fmt: skip


async def test_the_links_name_the_offer_by_its_reference_and_hold_no_code() -> None:
    house = House()
    made = await house.offering()(**asked())
    there = f"{BASE}/openid4vci/offers/{made.offer.reference}"
    assert made.link.startswith(f"{BASE}/wallet?")
    assert parse_qs(urlsplit(made.link).query) == {"credential_offer_uri": [there]}
    assert urlsplit(made.other_link).scheme == "openid-credential-offer"
    assert parse_qs(urlsplit(made.other_link).query) == {"credential_offer_uri": [there]}
    kept, code, tx_code = house.kept[made.offer.offer_id]
    assert code is not None
    assert (len(code), tx_code, made.tx_code, made.sent) == (43, None, None, False)
    assert not any(code in link or kept.offer_id in link for link in (made.link, made.other_link))
    assert (kept.expires_at - kept.created_at).days == 7
    assert house.sent == []
    assert made.link not in repr(made)


async def test_wallets_of_high_assurance_have_their_own_scheme() -> None:
    made = await House().offering("haip")(**asked())
    assert made.other_link.startswith("haip-vci://?credential_offer_uri=")


async def test_the_link_goes_to_the_phone_and_the_code_never_with_it() -> None:
    house = House()
    made = await house.offering()(**asked(tx_code=True, send=True))
    assert made.tx_code is not None
    assert (made.tx_code.isdigit(), len(made.tx_code), made.sent) == (True, 6, True)
    (message,) = house.sent
    text = text_of(message)
    assert made.link in text.zh
    assert made.tx_code not in text.zh + text.en
    assert house.moments[made.offer.offer_id] == ["SENT"]
    by_two = House()
    made = await by_two.offering()(**asked(tx_code=True, send=True, send_tx_code=True))
    second, first = (text_of(message) for message in by_two.sent)
    assert made.tx_code is not None
    assert made.tx_code not in first.zh
    assert made.tx_code in second.zh
    assert "://" not in second.zh + second.en


async def test_the_persons_own_login_needs_no_code() -> None:
    house = House()
    made = await house.offering()(**asked(flow=AUTHORIZATION_CODE))
    assert house.kept[made.offer.offer_id][1:] == (None, None)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"configuration_ids": ["pension"]}, "CREDENTIAL_UNKNOWN"),
        ({"configuration_ids": []}, "CREDENTIALS_ASKED"),
        ({"configuration_ids": ["residence", "residence"]}, "CREDENTIALS_ASKED"),
        ({"flow": "implicit"}, "FLOW_UNKNOWN"),
        ({"flow": AUTHORIZATION_CODE, "tx_code": True}, "TX_CODE_NOT_OF_FLOW"),
        ({"subject_id": OTHER, "send": True}, "PERSON_NOT_ENROLLED"),
    ],
)
async def test_what_cannot_be_offered_is_refused_before_anything_is_made(other: dict[str, Any], code: str) -> None:
    house = House()
    with pytest.raises(RequestRefused) as caught:
        await house.offering()(**asked(**other))
    assert caught.value.code == code
    assert (house.kept, house.sent) == ({}, [])


async def test_nothing_is_offered_while_the_ledger_is_halted() -> None:
    house = House(halted=True)
    with pytest.raises(LedgerHalted):
        await house.offering()(**asked())
    assert house.kept == {}


async def test_a_message_that_does_not_get_out_leaves_the_offer_to_be_sent_again() -> None:
    house = House(silent=True)
    offering = house.offering()
    made = await offering(**asked(send=True))
    assert (made.sent, house.moments) == (False, {})
    house.silent = False
    assert await offering.send_again(made.offer)
    assert house.sent[0].values["link"] == made.link


async def test_the_same_offer_again_is_the_first_one_with_the_same_link() -> None:
    house = House()
    offering = house.offering()
    first = await offering(**asked(offer_id="f" * 32, tx_code=True))
    again = await offering(**asked(offer_id="f" * 32, tx_code=True))
    assert again.link == first.link
    assert again.tx_code is None
    assert len(house.kept) == 1
