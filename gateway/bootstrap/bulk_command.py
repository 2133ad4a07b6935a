"""`yimen offers bulk`: for many at once, with progress; stopped at any moment, it goes on where it was."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.bootstrap.offer_command import check_wishes
from gateway.bootstrap.offer_desk import OfferDesk, offer_desk, operator_for
from gateway.bootstrap.person_named import certain_id_no
from gateway.errors import RequestRefused, SettingsInvalid
from gateway.services.credentials.bulk_offers import MOST, OFFERED, Bulk, Progress, Wishes
from gateway.services.identities import OPERATOR
from gateway.settings import Settings


async def offer_to_many(settings: Settings, given: argparse.Namespace) -> int:
    """1 where somebody was not offered anything. Raises RequestRefused, SettingsInvalid."""
    if (given.file is None) == (given.resume is None):
        raise RequestRefused("BULK_UNCLEAR", "name a file, or --resume one that was stopped")
    check_wishes(given)
    if given.file is not None and (not given.credential or not given.org):
        raise RequestRefused("BULK_UNCLEAR", "a file needs --credential and --org")
    if given.tx_code and not given.send:
        raise RequestRefused("CODE_NOT_SENT", "in a bulk a transaction code reaches nobody without --send")
    numbers = read_numbers(given.file) if given.file is not None else []
    async with offer_desk(settings) as desk:
        bulk = await _resumed(desk, given.resume) if given.resume else await _begun(desk, given, numbers)
        print(
            f"批次 bulk: {bulk.bulk_id}  （中断后 after a stop: yimen offers bulk --resume {bulk.bulk_id}）", flush=True
        )
        started = time.monotonic()
        counts = await desk.bulk.run(bulk, operator_for(bulk.wishes.acting), _progress(started))
        if given.out is not None:
            _save(given.out, await desk.bulks.outcomes(bulk.bulk_id))
    for outcome, number in sorted(counts.items()):
        print(f"  {outcome or '待办 still to come'}: {number}")
    print(f"用时 took {time.monotonic() - started:.1f} s")
    return 0 if set(counts) <= {OFFERED} else 1


def read_numbers(path: Path) -> list[str]:
    """18-digit numbers; every fault at once, by line and without the number. Raises SettingsInvalid."""
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsInvalid((f"{path}: cannot be read ({type(error).__name__})",)) from None
    head = [cell.strip() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in ("id_no", "身份号码") if name in head), None)
    found, faults = [], []
    for line, row in enumerate(rows, 1):
        if not any(row) or (line == 1 and column is not None):
            continue
        number = certain_id_no(row[column or 0]) if len(row) > (column or 0) else None
        if number is None:
            faults.append(f"{path.name}:{line}: 不是有效的证件号码 not an ID number")
        else:
            found.append(number)
    if not found and not faults:
        faults.append(f"{path}: 没有号码 no number in it")
    if len(found) > MOST:
        faults.append(f"{path}: 一次最多 {MOST} 人 at most so many at once")
    if faults:
        raise SettingsInvalid(tuple(faults))
    return found


async def _begun(desk: OfferDesk, given: argparse.Namespace, numbers: list[str]) -> Bulk:
    acting = await desk.body(given.org)
    subjects = await desk.store.subjects.recognise(numbers)
    return await desk.bulk.begin(
        subjects, given.credential, Wishes(acting, given.flow, given.tx_code, given.send), OPERATOR
    )


async def _resumed(desk: OfferDesk, bulk_id: str) -> Bulk:
    found = await desk.bulks.find(bulk_id)
    if found is None:
        raise RequestRefused("NOT_FOUND", "there is no such bulk")
    return found


def _progress(started: float) -> Progress:
    def say(counts: Mapping[str, int]) -> None:
        whole = sum(counts.values())
        done = whole - counts.get("", 0)
        print(f"  {done}/{whole}  {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

    return say


def _save(path: Path, outcomes: Sequence[tuple[int, str | None, str | None]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["n", "outcome", "offer_id"])
        rows.writerows(outcomes)
