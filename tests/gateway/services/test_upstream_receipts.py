"""What another gateway said it recorded, held against its own log."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.caller import Alert
from gateway.services.upstream_receipts import CheckReceipts, Found, Kept, Unheard, Verdict, WatchReceipts
from ledger.encoding import b64
from ledger.entry import Entry
from ledger.merkle import leaf_hash
from ledger.policy import Policy

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ID = "01a21686-1258-77a5-ab80-ea2ffb8bae44"
ENTRY = bytes(Entry("query", "a-corrections", NOW, bytes(32)))


def kept(entry: bytes = ENTRY, at: datetime = NOW, source: str = "B") -> Kept:
    said = {"source": source, "id": ID, "recordedAt": at.isoformat(), "leafHash": b64(leaf_hash(entry))}
    return Kept("ours", {**said, "level": "DURABLE"})


class Receipts:
    def __init__(self, *known: Kept) -> None:
        self.known, self.kept = known, list[Found]()
        self.asked_for: tuple[datetime, datetime | None] | None = None

    async def open(
        self, *, since: datetime, most: int, unseen_since: datetime | None = None, without: Collection[str] = ()
    ) -> Sequence[Kept]:
        self.asked_for = since, unseen_since
        seen = [] if unseen_since is None else [one.kept for one in self.kept]
        return [one for one in self.known if one not in seen and one.source not in without][:most]

    async def good(self, *, since: datetime) -> int:
        return 0

    async def keep(self, found: Found, at: datetime) -> None:
        self.kept.append(found)

    async def events_of(self, receipt_id: str) -> Sequence[Kept]:
        return []


class Log:
    """Answers what it is told to; `None`: it does not answer at all."""

    policy: Policy | None = None

    def __init__(self, answers: Mapping[str, bytes | None] | None) -> None:
        self._answers, self.asked = answers, 0

    async def get(self, path: str) -> bytes | None:
        self.asked += 1
        if self._answers is None:
            raise Unheard("DOWN")
        return self._answers.get(path.rpartition(ID)[2])


def state(entry: bytes = ENTRY, level: str = "INCLUDED") -> bytes:
    return json.dumps({"entry": entry.decode(), "level": level, "leafHash": b64(leaf_hash(entry))}).encode()


async def verdicts(log: Log, *known: Kept) -> list[Verdict]:
    found = await CheckReceipts(Receipts(*known), {"B": log})(since=NOW - timedelta(days=1), most=10, now=NOW)
    return [one.verdict for one in found]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({}, Verdict.UNKNOWN),
        ({"": state()}, Verdict.PENDING),
        ({"": state(), "/proof": b"no proof"}, Verdict.UNPROVEN),
        ({"": b"{}"}, Verdict.DIFFERS),
        ({"": b"\xff"}, Verdict.DIFFERS),
        ({"": b"[]"}, Verdict.DIFFERS),
        ({"": b"[" * 200_000}, Verdict.DIFFERS),
        ({"": state(bytes(Entry("query", "bank", NOW, bytes(32))))}, Verdict.DIFFERS),
        (None, Verdict.UNREACHABLE),
    ],
)
async def test_each_way_a_receipt_may_turn_out(answers: Mapping[str, bytes | None] | None, verdict: Verdict) -> None:
    assert await verdicts(Log(answers), kept()) == [verdict]


async def test_a_receipt_that_points_at_something_else_is_found_out() -> None:
    """A lying gateway may hand out the number and hash of an entry that is in its log, for another thing or another day."""
    other = bytes(Entry("identity", "a-corrections", NOW, bytes(32)))
    assert await verdicts(Log({"": state(other)}), kept(other)) == [Verdict.DIFFERS]
    assert await verdicts(Log({"": state()}), kept(at=NOW + timedelta(seconds=60))) == [Verdict.DIFFERS]


async def test_a_hash_kept_as_no_proof_writes_it_is_a_finding_and_ends_no_round() -> None:
    """The same bytes: of the last letter two bits mean nothing. Versions before took it for a receipt."""
    good = kept()
    leaf = str(good.said["leafHash"])
    spoiled = leaf[:-2] + chr(ord(leaf[-2]) + 1) + "="
    odd = Kept("ours", {**good.said, "leafHash": spoiled})
    assert await verdicts(Log({"": state()}), odd, good) == [Verdict.DIFFERS, Verdict.PENDING]


async def test_who_does_not_answer_is_asked_once() -> None:
    log = Log(None)
    assert await verdicts(log, kept(), kept(), kept()) == [Verdict.UNREACHABLE] * 3
    assert log.asked == 1


async def test_a_source_that_is_gone_is_not_asked_for() -> None:
    assert await verdicts(Log({}), kept(source="X")) == [Verdict.UNREACHABLE]


class Raised:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def raise_alert(self, alert: Alert) -> str:
        self.alerts.append(alert)
        return "1"


class Now:
    def now(self) -> datetime:
        return NOW


@pytest.mark.parametrize(
    ("answers", "raised"),
    [
        ({}, ["receipts of B: UNKNOWN"]),
        ({"": b"{}"}, ["receipts of B: DIFFERS"]),
        ({"": state(), "/proof": b"no proof"}, ["receipts of B: UNPROVEN"]),
        ({"": state()}, []),  # not under a checkpoint yet
        (None, []),
    ],
)
async def test_a_false_receipt_is_an_alert_and_one_that_cannot_be_checked_is_none(
    answers: Mapping[str, bytes | None] | None, raised: list[str]
) -> None:
    receipts, alerts = Receipts(kept()), Raised()
    watch = WatchReceipts(CheckReceipts(receipts, {"B": Log(answers)}), alerts, Now(), every_s=3600, org_id="")
    await watch()
    assert [one.about_id for one in alerts.alerts] == raised
    assert all((one.type, one.severity, one.about) == ("A13_LEDGER_BREAK", "S1", "SYSTEM") for one in alerts.alerts)
    assert all(one.detail == {"source": "B", "receipt": ID, "event": "ours"} for one in alerts.alerts)
    assert receipts.asked_for == (NOW - timedelta(days=7), NOW - timedelta(minutes=30))


@pytest.mark.parametrize(
    ("answers", "age", "raised"),
    [
        ({"": state()}, timedelta(hours=23), []),
        ({"": state()}, timedelta(hours=25), ["receipts of B: PENDING for a day"]),
        (None, timedelta(hours=25), ["receipts of B: UNREACHABLE for a day"]),
    ],
)
async def test_who_never_proves_what_they_said_is_an_alert_once_a_round(
    answers: Mapping[str, bytes | None] | None, age: timedelta, raised: list[str]
) -> None:
    entry = bytes(Entry("query", "a-corrections", NOW - age, bytes(32)))
    answers = answers and {"": state(entry)}
    mine = kept(entry, NOW - age)
    receipts, alerts = Receipts(mine, replace(mine, event_id="another")), Raised()
    watch = WatchReceipts(CheckReceipts(receipts, {"B": Log(answers)}), alerts, Now(), every_s=3600, org_id="")
    await watch()
    assert [(one.about_id, one.severity) for one in alerts.alerts] == [(about, "S2") for about in raised]


async def test_a_round_sees_all_there_are_and_a_silent_neighbour_hides_nobody() -> None:
    silent = [Kept(f"s{number}", kept(source="S").said) for number in range(7)]
    many = [Kept(f"b{number}", kept().said) for number in range(8)]
    receipts, alerts, down = Receipts(*silent, *many), Raised(), Log(None)
    check = CheckReceipts(receipts, {"B": Log({}), "S": down})
    await WatchReceipts(check, alerts, Now(), every_s=3600, org_id="", most=3)()
    assert [one.kept.event_id for one in receipts.kept] == ["s0", *(f"b{number}" for number in range(8))]
    assert down.asked == 1
    assert [one.about_id for one in alerts.alerts] == ["receipts of B: UNKNOWN"]
