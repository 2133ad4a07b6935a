"""When a file counts, which one wins, and that neither repetition nor order nor a crash matters."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adapters.errors import Reason
from adapters.feed import Accepted, Delivery, Duplicate, Quarantined, Receipt
from adapters.file_drop import DropSource
from adapters.source import Absent, Failed, Found
from tests.adapters.file_drop.lab import (
    ALI,
    CSV,
    LI_MEI,
    NOBODY,
    ZHANG,
    Lab,
    ask,
    csv_file,
    newest_is,
    numbers,
    reasons,
    row,
    wait_for,
)

pytestmark = pytest.mark.anyio
DATED = {**CSV, "date_from": "content"}
APPEND = {**CSV, "mode": "append", "date_from": "content"}


async def test_before_the_first_complete_drop_nothing_is_absent(lab: Lab) -> None:
    (answer,) = await ask(lab.open(), ZHANG)
    assert answer == Failed(Reason.DOWN, None, "no complete drop yet")


async def test_rows_are_as_old_as_their_drop(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), date="20261120020000"))
    found, absent = await ask(lab.open(DATED), ZHANG, NOBODY)
    made_at = datetime(2026, 11, 19, 18, 0, tzinfo=UTC)
    assert isinstance(found, Found)
    assert (found.as_of, found.rows[0].as_of) == (made_at, made_at)
    assert isinstance(absent, Absent)
    assert absent.as_of == made_at


async def test_without_a_stated_date_the_file_time_counts_and_never_the_future(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)), mtime=time.time() - 86400)
    source = lab.open()
    (found,) = await ask(source, ZHANG)
    assert isinstance(found, Found)
    assert found.as_of is not None
    assert 86300 < (datetime.now(UTC) - found.as_of).total_seconds() < 86500
    lab.put("b.csv", csv_file(row("2", ZHANG)), mtime=time.time() + 86400)
    wait_for(newest_is(source, "b.csv"), 8)
    (found,) = await ask(source, ZHANG)
    assert isinstance(found, Found)
    assert found.as_of is not None
    assert found.as_of <= datetime.now(UTC)


async def test_a_new_full_set_replaces_the_old_one_at_once(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), row("2", LI_MEI), date="20261120"))
    source = lab.open(DATED)
    assert [numbers(answer) for answer in await ask(source, ZHANG, LI_MEI)] == [["1"], ["2"]]
    lab.put("b.csv", csv_file(row("3", ZHANG), date="20261121"))
    wait_for(newest_is(source, "b.csv"))
    zhang, mei = await ask(source, ZHANG, LI_MEI)
    assert numbers(zhang) == ["3"]
    assert isinstance(mei, Absent), "the newer full set does not hold her"


async def test_redelivery_changes_nothing_under_any_name(lab: Lab) -> None:
    content = csv_file(row("1", ZHANG), row("1", ZHANG), date="20261120")
    lab.put("a.csv", content)
    source = lab.open(DATED)
    assert numbers((await ask(source, ZHANG))[0]) == ["1"], "the very same record twice is one"
    before = source.health()
    lab.put("a.csv", content)
    lab.put("a_2.csv", content)
    lab.put("z.csv", csv_file(row("9", ALI), date="20261119"))
    lab.put("zz.csv", csv_file(row("8", LI_MEI), date="20261121"))
    wait_for(newest_is(source, "zz.csv"))
    lab.put("a_3.csv", content)
    lab.put("last.csv", csv_file(row("7", LI_MEI), date="20261122"))
    wait_for(newest_is(source, "last.csv"))
    wait_for(lambda: not source.health().not_taken)
    assert before.newest == "a.csv"
    assert [numbers(answer) for answer in await ask(source, LI_MEI, ZHANG, ALI)] == [["7"], [], []]


async def test_an_older_drop_that_comes_late_is_history(lab: Lab) -> None:
    lab.put("new.csv", csv_file(row("2", ZHANG), date="20261121"))
    source = lab.open(DATED)
    assert numbers((await ask(source, ZHANG))[0]) == ["2"]
    receipt = await _deliver(source, "old.csv", csv_file(row("1", ZHANG), date="20261120"))
    assert receipt == Duplicate()
    assert numbers((await ask(source, ZHANG))[0]) == ["2"]


async def test_a_file_rewritten_under_its_name_is_a_new_delivery_whatever_its_date(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), date="20261121"))
    source = lab.open(DATED)
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    receipt = await _deliver(source, "a.csv", csv_file(row("2", ZHANG), date="20261115"))
    assert receipt == Accepted(1)
    assert numbers((await ask(source, ZHANG))[0]) == ["2"]


async def test_old_content_does_not_come_back_by_being_copied_again(lab: Lab) -> None:
    source = lab.open(DATED)
    old = csv_file(row("1", ZHANG), date="20261120")
    assert await _deliver(source, "a.csv", old) == Accepted(1)
    assert await _deliver(source, "a.csv", csv_file(row("2", ZHANG), date="20261121")) == Accepted(1)
    assert await _deliver(source, "a.csv", old) == Duplicate()
    assert numbers((await ask(source, ZHANG))[0]) == ["2"]


async def test_content_taken_back_and_stated_anew_counts_again(lab: Lab) -> None:
    source = lab.open()
    fresh = csv_file(row("1", ZHANG))
    lab.put("a.csv", fresh, mtime=time.time() - 1000)
    wait_for(newest_is(source, "a.csv"))
    lab.put("a.csv", csv_file(row("2", ZHANG)), mtime=time.time() - 500)
    wait_for(_younger_than(source, 600))
    lab.put("a.csv", fresh, mtime=time.time() - 100)
    wait_for(_younger_than(source, 200))
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]


async def test_the_same_content_named_for_a_later_day_holds_on_that_day(lab: Lab) -> None:
    source = lab.open({**CSV, "date_from": "name"})
    content = csv_file(row("1", ZHANG))
    assert await _deliver(source, "d_20261119.csv", content) == Accepted(1)
    assert await _deliver(source, "d_20261121.csv", content) == Duplicate()
    assert await _deliver(source, "d_20261120.csv", content) == Duplicate()
    (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Found)
    assert answer.as_of == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


async def test_appended_drops_add_and_correct_by_record_number_in_any_order(lab: Lab) -> None:
    source = lab.open(APPEND)
    assert await _deliver(
        source, "2.csv", csv_file(row("B", ZHANG, "new"), row("C", ALI), date="20261122")
    ) == Accepted(2)
    first = csv_file(row("A", ZHANG), row("B", ZHANG, "old"), row("D", LI_MEI), date="20261121")
    assert await _deliver(source, "1.csv", first) == Accepted(3)
    zhang, mei, ali = await ask(source, ZHANG, LI_MEI, ALI)
    assert isinstance(zhang, Found)
    assert {str(one.values["bh"]): one.values["bz"] for one in zhang.rows} == {"A": "", "B": "new"}
    assert [numbers(mei), numbers(ali)] == [["D"], ["C"]]
    assert await _deliver(source, "1 again.csv", first) == Duplicate()


async def test_a_feed_receipt_is_final(lab: Lab) -> None:
    source = lab.open(DATED)
    bad = b"what is this\r\n#END,0\r\n"
    assert isinstance(await _deliver(source, "x.csv", bad), Quarantined)
    assert isinstance(await _deliver(source, "y.csv", bad), Quarantined)
    assert len(source.quarantine()) == 1, "the same content is not told twice"


async def test_half_a_file_waits_and_the_old_set_says_it_is_not_all(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)), mtime=time.time() - 60)
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    whole = csv_file(row("2", ZHANG), row("3", LI_MEI))
    (lab.inbox / "b.csv").write_bytes(whole[: len(whole) // 2])
    wait_for(lambda: bool(source.health().not_taken))
    zhang, nobody = await ask(source, ZHANG, NOBODY)
    assert isinstance(zhang, Found)
    assert (numbers(zhang), zhang.incomplete) == (["1"], Reason.INCOMPLETE)
    assert isinstance(nobody, Failed)
    assert nobody.reason is Reason.INCOMPLETE
    assert source.quarantine() == ()
    with (lab.inbox / "b.csv").open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    wait_for(newest_is(source, "b.csv"))
    zhang, nobody = await ask(source, ZHANG, NOBODY)
    assert isinstance(zhang, Found)
    assert (numbers(zhang), zhang.incomplete) == (["2"], None)
    assert isinstance(nobody, Absent)


async def test_half_a_file_is_quarantined_in_the_end(lab: Lab) -> None:
    whole = csv_file(row("2", ZHANG))
    lab.put("b.csv", whole[: len(whole) // 2])
    source = lab.open({**CSV, "half_after_s": 0.2})
    wait_for(lambda: bool(source.quarantine()))
    assert reasons(source) == [(0, "half a file: the agreed end is missing (waited 0.2 s)")]
    lab.put("b.csv", whole)
    wait_for(newest_is(source, "b.csv"))
    assert numbers((await ask(source, ZHANG))[0]) == ["2"]


async def test_garbage_keeps_the_old_set_and_says_so(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)), mtime=time.time() - 60)
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    lab.put("b.csv", csv_file(row("\0", LI_MEI), row("\0", ALI)))
    wait_for(lambda: bool(source.health().not_taken))
    zhang, nobody = await ask(source, ZHANG, NOBODY)
    assert isinstance(zhang, Found)
    assert (numbers(zhang), zhang.incomplete) == (["1"], Reason.GARBAGE)
    assert isinstance(nobody, Failed)
    assert nobody.reason is Reason.GARBAGE
    (lab.inbox / "b.csv").unlink()
    wait_for(lambda: not source.health().not_taken)
    assert isinstance((await ask(source, NOBODY))[0], Absent), "the department took it back"


async def test_a_file_still_growing_is_left_alone(lab: Lab) -> None:
    source = lab.open({**CSV, "settle_s": 0.4, "end_marker": ""})
    with (lab.inbox / "a.csv").open("wb") as file:
        file.write(b"bh,sfzh,xm,rq,bz\r\n")
        for number in range(6):
            file.write((",".join(row(str(number), ZHANG)) + "\r\n").encode())
            file.flush()
            time.sleep(0.1)  # the writer's pace, well below settle_s
            assert source.health().newest == ""
    wait_for(newest_is(source, "a.csv"))
    assert len(numbers((await ask(source, ZHANG))[0])) == 6


async def test_an_unreachable_directory_is_down_and_comes_back(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    lab.inbox.rename(lab.home / "away")
    wait_for(lambda: bool(source.health().fault))
    (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.DOWN
    assert str(lab.home) not in answer.detail
    (lab.home / "away").rename(lab.inbox)
    wait_for(lambda: not source.health().fault)
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]


async def test_links_pipes_and_folders_are_not_followed(lab: Lab) -> None:
    secret = lab.home / "elsewhere.csv"
    secret.write_bytes(csv_file(row("666", ZHANG)))
    (lab.inbox / "link.csv").symlink_to(secret)
    os.mkfifo(lab.inbox / "pipe.csv")
    (lab.inbox / "folder.csv").mkdir()
    (lab.inbox / "dangling.csv").symlink_to(lab.home / "nowhere")
    source = lab.open()
    (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Failed)
    assert sorted(entry.file for entry in source.quarantine()) == ["dangling.csv", "link.csv", "pipe.csv"]
    assert {entry.reason for entry in source.quarantine()} == {"not a regular file"}


async def test_an_unknown_key_part_is_said(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    (answer,) = await ask(lab.open(), (None, "张三"))
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.KEY_MISSING


def _younger_than(source: DropSource, age_s: float) -> Callable[[], bool]:
    def met() -> bool:
        dated_at = source.health().dated_at
        return dated_at is not None and time.time() - dated_at.timestamp() < age_s

    return met


async def _deliver(source: DropSource, name: str, content: bytes) -> Receipt:
    """As another channel than the directory would hand it over."""
    now = datetime.now(UTC)
    return await source.feed.deliver(Delivery("T", name, now, name, hashlib.sha256(content).digest(), body=content))
