"""The office that is shut at night: said without asking, with the time it opens, and answered after that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.department import SHANGHAI, Faults, Options
from demo.places import write_private
from demo.serving import Running, serving
from tests.flows.house import House
from tests.flows.questions import key_of, person
from tests.flows.town import COUNT, SEED, Town, gateway_of

pytestmark = pytest.mark.anyio

NIGHT = datetime.now(SHANGHAI).replace(hour=23, minute=30, second=0, microsecond=0)
MORNING = (NIGHT + timedelta(days=1)).replace(hour=5, minute=5)
OPENS = (NIGHT + timedelta(days=1)).replace(hour=5, minute=0)
ASK = person("insurance { state reason retryAt records { kind status lastPaidMonth } }")


class Hands:
    """A clock whose hands a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at.astimezone(UTC)


@asynccontextmanager
async def night(town: Town, home: Path, *, hours: str, real_hours: bool) -> AsyncIterator[tuple[House, Running, Hands]]:
    """SB alone, at half past eleven, with a gateway whose manifest does or does not know its hours."""
    secret = (town.home / "secrets" / "sb_secret").read_text(encoding="utf-8")
    options = Options(
        seed=SEED, count=COUNT, latency=0, now=NIGHT, real_hours=real_hours, secrets={"sb_secret": secret}
    )

    def only_sb(manifests: Path) -> None:
        for file in manifests.glob("*.toml"):
            if file.name != "sb.toml":
                file.unlink()
        text = (manifests / "sb.toml").read_text(encoding="utf-8")
        write_private(manifests / "sb.toml", text.replace("[source.limits]", f"{hours}\n[source.limits]"))

    hands = Hands(NIGHT)
    async with (
        serving("SB", options) as office,
        gateway_of(replace(town, values=town.values | {"SB_URL": office.url}), home, only_sb, clock=hands) as gateway,
    ):
        yield gateway, office, hands


def at_five_past_five(office: Running, hands: Hands) -> None:
    hands.at = MORNING
    office.department.set_faults(Faults(clock_skew=(MORNING - NIGHT).total_seconds()))


async def test_hours_in_the_manifest_spare_the_office_the_question(town: Town, tmp_path: Path) -> None:
    known = '[source.hours]\nopen = [["05:00", "23:00"]]\n'
    async with night(town, tmp_path, hours=known, real_hours=True) as (gateway, office, hands):
        part = (await gateway.data(ASK, key_of("zhang-san-017")))["person"]["insurance"]
        assert (part["state"], part["reason"], part["records"]) == ("UNAVAILABLE", "CLOSED", [])
        assert datetime.fromisoformat(part["retryAt"]) == OPENS
        assert office.department.counters.calls() == {}
        nobody = (await gateway.data(ASK, key_of("chen-ming")))["person"]["insurance"]
        assert nobody["state"] == "UNAVAILABLE", "no record is not known at night either"

        at_five_past_five(office, hands)
        part = (await gateway.data(ASK, key_of("zhang-san-017")))["person"]["insurance"]
        assert part["state"] == "FRESH"
        assert len(part["records"]) == 4
        assert (await gateway.data(ASK, key_of("chen-ming")))["person"]["insurance"]["state"] == "NOT_FOUND"


async def test_an_office_that_says_itself_that_it_is_shut_is_believed(town: Town, tmp_path: Path) -> None:
    async with night(town, tmp_path, hours="", real_hours=True) as (gateway, office, hands):
        part = (await gateway.data(ASK, key_of("zhang-san-017")))["person"]["insurance"]
        assert (part["state"], part["reason"]) == ("UNAVAILABLE", "CLOSED")
        assert datetime.fromisoformat(part["retryAt"]) == OPENS
        at_five_past_five(office, hands)
        assert (await gateway.data(ASK, key_of("zhang-san-017")))["person"]["insurance"]["state"] == "FRESH"
