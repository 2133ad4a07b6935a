"""Equal looks of one day are told once, with their number; nothing else is joined."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.consent.notice import Both
from gateway.services.access_history import AccessInWords
from gateway.web.history import _told_once

NOON = datetime(2026, 11, 26, 4, tzinfo=UTC)
ONE = AccessInWords(
    "1", Both("x", "x"), NOON, Both("局", "bureau"), Both("复查", "recheck"), (), (Both("居住", "residence"),), True, 1
)


def test_equal_looks_of_a_day_are_one_entry_and_others_stay_apart() -> None:
    other = replace(ONE, id="9", body=Both("法院", "court"))
    refused, yesterday = replace(ONE, id="8", allowed=False), replace(ONE, id="7", instant=NOON - timedelta(days=1))
    looks = [ONE, replace(ONE, id="2", instant=NOON - timedelta(hours=1)), other, replace(ONE, id="3", repeats=4)]
    told = _told_once([*looks, refused, yesterday])
    assert [(one.id, one.repeats) for one in told] == [("1", 6), ("9", 1), ("8", 1), ("7", 1)]


def test_the_day_is_that_of_the_clock_on_the_wall_in_china() -> None:
    evening, morning = (
        replace(ONE, instant=datetime(2026, 11, 26, 15, 59, tzinfo=UTC)),
        replace(ONE, id="2", instant=datetime(2026, 11, 26, 16, 1, tzinfo=UTC)),
    )
    assert len(_told_once([morning, evening])) == 2
