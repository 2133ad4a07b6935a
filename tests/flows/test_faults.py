"""Every department with every switch: the right word within two seconds, for that department alone, and gone again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.serving import bind
from tests.flows.house import House
from tests.flows.questions import ALL_STATES, PARTS, key_of, people, person, source_of
from tests.flows.town import Town, gateway_of, unhurried, until

pytestmark = pytest.mark.anyio

DEADLINE_S = 1.8  # settings: operation_deadline_s
SLACK_S = 1.0  # for this machine, not for the gateway
FAST_S = 1.5  # below the deadline: nobody waited for the dead

UNAVAILABLE, PARTIAL, STALE = "UNAVAILABLE", "PARTIAL", "STALE"
ONLINE = {
    "down": (UNAVAILABLE, "DOWN"),
    "closed": (UNAVAILABLE, "CLOSED"),
    "too_many": (UNAVAILABLE, "RATE_LIMITED"),
    "slow": (UNAVAILABLE, "TIMEOUT"),
    "garbage": (UNAVAILABLE, "GARBAGE"),
    "stale": (STALE, None),
}
DROPS = {
    "down": (UNAVAILABLE, "DOWN"),
    "slow": (PARTIAL, "INCOMPLETE"),  # half a file until the rest arrives
    "half_page": (PARTIAL, "INCOMPLETE"),
    "garbage": (PARTIAL, "GARBAGE"),
    "stale": (STALE, None),
}
SIGNED = {"clock_skew": (UNAVAILABLE, "CLOCK_SKEW")}
SHOWN: Mapping[str, Mapping[str, tuple[str, str | None]]] = {
    "GA_POP": ONLINE | {"half_page": (UNAVAILABLE, "GARBAGE")},  # half an envelope is no XML
    "LGB": ONLINE | SIGNED | {"half_page": (UNAVAILABLE, "INCOMPLETE")},  # half of one row is none
    "SB": ONLINE | SIGNED | {"half_page": (PARTIAL, "INCOMPLETE")},
    "GS": ONLINE | {"half_page": (PARTIAL, "INCOMPLETE")},
    "FY": ONLINE | {"half_page": (PARTIAL, "INCOMPLETE")},
    # A file that is away, or locked by somebody else, tells no more than that it cannot be read; its dirt is below.
    "GDSJ": dict.fromkeys(("down", "closed", "too_many"), (UNAVAILABLE, "DOWN"))
    | {"slow": (UNAVAILABLE, "TIMEOUT"), "half_page": (UNAVAILABLE, "GARBAGE"), "stale": (STALE, None)},
    "JY": DROPS,
    "AZBJ_FS": DROPS,
    "AZBJ_N": DROPS,
}
CASES = [
    (code, fault)
    for code, faults in SHOWN.items()
    for fault in faults
    if code != "AZBJ_N"  # shares its switches with AZBJ_FS and is looked at together with it
]
FEEDS = {
    "GA_POP": ("identity", "residence"),
    "LGB": ("residence",),
    "SB": ("insurance",),
    "GS": ("business",),
    "FY": ("documents",),
    "GDSJ": ("cases", "monitoringOrders"),
    "JY": ("cases",),
    "AZBJ_FS": ("aftercare",),
}
KNOWN = {"JY": "zhao-qiang", "AZBJ_FS": "li-yan"}
STRANGER = {"idNo": "110101199003070011", "name": "欧阳不在"}
NO_ANSWER = frozenset({"DOWN", "CLOSED", "RATE_LIMITED", "TIMEOUT", "GARBAGE", "CLOCK_SKEW"})


class Watch:
    """Asks about somebody a department knows and somebody nobody knows, and holds every answer to what never changes."""

    def __init__(self, gateway: House, code: str) -> None:
        self._gateway, self._code = gateway, code
        self._keys = [key_of(KNOWN.get(code, "zhang-san-017")), STRANGER]
        self.well: list[dict[str, Any]] = []

    async def ask(self) -> list[dict[str, Any]]:
        began = time.monotonic()
        answer = await self._gateway.data(ALL_STATES, {"of": self._keys})
        assert time.monotonic() - began < DEADLINE_S + SLACK_S
        found: list[dict[str, Any]] = answer["people"]
        if self.well:
            for was, now in zip(self.well, found, strict=True):
                others = [part for part in PARTS if part not in FEEDS[self._code]]
                assert {part: was[part]["state"] for part in others} == {part: now[part]["state"] for part in others}
            for part in FEEDS[self._code]:
                if source_of(self.well[0][part], self._code)["state"] != "NOT_FOUND":
                    assert source_of(found[0][part], self._code)["state"] != "NOT_FOUND"
        return found

    def shows(self, found: list[dict[str, Any]], state: str, reason: str | None) -> bool:
        source = source_of(found[0][FEEDS[self._code][0]], self._code)
        return (source["state"], source["reason"]) == (state, reason)

    def as_before(self, found: list[dict[str, Any]]) -> bool:
        return all(
            was[part]["state"] == now[part]["state"]
            and [s["state"] for s in was[part]["sources"]] == [s["state"] for s in now[part]["sources"]]
            for was, now in zip(self.well, found, strict=True)
            for part in PARTS
        )


@pytest.mark.parametrize(("code", "fault"), CASES, ids=lambda value: str(value))
async def test_a_fault_shows_as_itself_and_goes_away(town: Town, gateway: House, code: str, fault: str) -> None:
    switch = code.partition("_FS")[0]
    watch = Watch(gateway, code)
    # The first answer after a start or after another story may still be cold.
    watch.well = await until(watch.ask, all_well)
    state, reason = SHOWN[code][fault]

    await town.fault(switch, **{fault: True})
    found = await until(watch.ask, lambda seen: watch.shows(seen, state, reason))
    if reason in NO_ANSWER or code in KNOWN:
        for part in FEEDS[code]:
            unknown = source_of(found[1][part], code)
            assert (unknown["state"], unknown["reason"]) in ((UNAVAILABLE, reason), (STALE, reason)), part
            assert found[1][part]["state"] != "NOT_FOUND"
    if reason in ("CLOSED", "RATE_LIMITED") and code != "GA_POP":  # a SOAP fault tells no time
        assert source_of(found[0][FEEDS[code][0]], code)["retryAt"] > "2026"

    await town.fault(switch)
    await until(watch.ask, watch.as_before)


def all_well(found: Sequence[Mapping[str, Any]]) -> bool:
    """Every source answered in full about everybody; what is left for a human to decide has no reason."""
    return all(source["reason"] is None for who in found for part in PARTS for source in who[part]["sources"])


async def test_a_breaker_that_opened_says_when_it_asks_again_and_closes_in_time(town: Town, gateway: House) -> None:
    watch = Watch(gateway, "GS")
    watch.well = await until(watch.ask, all_well)
    await town.fault("GS", down=True)
    found = await until(watch.ask, lambda seen: watch.shows(seen, UNAVAILABLE, "BREAKER_OPEN"))
    assert found[0]["business"]["retryAt"] is not None
    assert found[1]["business"]["state"] == UNAVAILABLE
    before = sum((await town.calls("GS")).values())
    await watch.ask()
    assert sum((await town.calls("GS")).values()) - before <= 2, "an open breaker asks nothing, or one probe"
    await town.fault("GS")
    await until(watch.ask, watch.as_before)


async def test_words_that_make_no_sense_are_doubted_one_by_one(town: Town, gateway: House) -> None:
    ask = person(
        "cases { state sources { source state } records { source type typeRaw startOn quality { field flag } } }"
    )
    who = key_of("zhang-san-017")
    await town.fault("GDSJ", garbage=True)

    async def province() -> dict[str, Any]:
        part = (await gateway.data(ask, who))["person"]["cases"]
        return dict(next(record for record in part["records"] if record["source"] == "GDSJ"))

    record = await until(province, lambda seen: seen["type"] == "UNMAPPED")
    assert record["typeRaw"] == "???"
    assert record["startOn"] is None
    assert {"field": "startOn", "flag": "DATE_BAD"} in record["quality"]
    assert {"field": "type", "flag": "CODE_UNMAPPED"} in record["quality"]
    await town.fault("GDSJ")
    await until(province, lambda seen: seen["type"] == "PROBATION")


async def test_three_of_five_killed_leave_the_others_their_answers_and_their_pace(town: Town, tmp_path: Path) -> None:
    """Not a polite 503: nothing listens at their ports."""
    dead = {}
    for code in ("LGB", "SB", "FY"):
        listener = bind()
        dead[f"{code}_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
    changed = replace(town, values=town.values | dead)
    async with gateway_of(changed, tmp_path, unhurried) as gateway:
        ask = people(
            "identity { state best { name } } residence { state best { source address } } insurance { state reason } "
            "business { state best { name } } documents { state reason }"
        )
        await gateway.data(ask, {"of": [key_of("zhang-san-017")]})
        took = []
        for _ in range(20):
            began = time.monotonic()
            (found,) = (await gateway.data(ask, {"of": [key_of("zhang-san-017")]}))["people"]
            took.append(time.monotonic() - began)
            assert found["identity"] == {"state": "FRESH", "best": {"name": "张三"}}
            assert found["residence"]["state"] == "PARTIAL"
            assert found["residence"]["best"]["source"] == "GA_POP"
            assert found["business"]["state"] == "FRESH"
            for gone in ("insurance", "documents"):
                assert found[gone]["state"] == UNAVAILABLE
                assert found[gone]["reason"] in ("DOWN", "BREAKER_OPEN")
        assert sorted(took)[18] < FAST_S, took


async def test_three_that_hang_are_left_alone_after_the_first_wait(town: Town, gateway: House) -> None:
    watch = Watch(gateway, "GS")
    await until(watch.ask, all_well)
    for code in ("GS", "SB", "LGB"):
        await town.fault(code, slow=True)
    ask = person("identity { state } residence { state } insurance { state reason } business { state reason }")
    crowd = [key_of(handle) for handle in ("zhang-san-017", "li-mei", "chen-ming", "mai-mai-ti", "li-yan", "zhou-kai")]
    began = time.monotonic()
    first = await asyncio.gather(*(gateway.data(ask, who) for who in crowd))
    assert time.monotonic() - began < DEADLINE_S + SLACK_S
    assert {found["person"]["insurance"]["reason"] for found in first} == {"TIMEOUT"}
    assert {found["person"]["identity"]["state"] for found in first} == {"FRESH"}
    began = time.monotonic()
    after = await gateway.data(ask, crowd[0])
    assert time.monotonic() - began < FAST_S
    assert after["person"]["identity"]["state"] == "FRESH"
    assert after["person"]["business"] == {"state": UNAVAILABLE, "reason": "BREAKER_OPEN"}
    for code in ("GS", "SB", "LGB"):
        await town.fault(code)
    await until(watch.ask, all_well)
