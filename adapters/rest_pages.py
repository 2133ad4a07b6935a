"""One key, several pages: everything, or a plain statement that something is missing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from adapters.asking import together
from adapters.records import Record
from adapters.rest_answer import Records
from adapters.rest_request import Paging
from adapters.source import Failed

FetchPage: TypeAlias = Callable[[int], Awaitable[Records | Failed]]


async def gather_pages(paging: Paging, fetch: FetchPage) -> tuple[Records | Failed, bool]:
    """The records of all pages, and whether some are missing; Failed where not even the first page came.

    Where the first page declares a total the others are fetched at once, else one after another until a page is not
    full. Missing: another number than declared, totals that differ, a page that failed, a page or record that
    came twice (the list moved under us, so another was skipped), or more pages than `paging.max`.
    """
    first = await fetch(paging.first)
    if isinstance(first, Failed):
        return first, False
    if first.total is None:
        return await _until_not_full(paging, first, fetch)
    pages = -(-first.total // paging.rows)
    if len(first.records) >= first.total:
        pages = 1
    numbers = range(paging.first + 1, paging.first + min(pages, paging.max))
    others = await together(fetch, numbers)
    got = [first, *(page for page in others if isinstance(page, Records))]
    records, _ = _joined(got)
    # A page is free to repeat no total (an empty one often says 0), so only what it claims beyond counts. A page that
    # failed, came twice or is beyond the last we follow shows in the number of different records.
    declared = max(first.total, *(page.total or 0 for page in got))
    return Records(records, declared), len(records) != declared


async def _until_not_full(paging: Paging, first: Records, fetch: FetchPage) -> tuple[Records | Failed, bool]:
    got = [first]
    missing = False
    while len(got[-1].records) >= paging.rows:
        if len(got) >= paging.max:
            missing = True
            break
        page = await fetch(paging.first + len(got))
        if isinstance(page, Failed) or (page.records and page.records == got[-1].records):
            missing = True  # a server that repeats its last page would go on for ever
            break
        got.append(page)
    records, repeated = _joined(got)
    return Records(records), missing or repeated


def _joined(pages: Sequence[Records]) -> tuple[tuple[Record, ...], bool]:
    """All records, those that an earlier page already held left out; and whether there were such.

    Two equal records on one page are the department's own and stay.
    """
    records: list[Record] = []
    seen: set[str] = set()
    repeated = False
    for page in pages:
        here = {}
        for record in page.records:
            mark = json.dumps(record, sort_keys=True, ensure_ascii=True)
            if mark in seen:
                repeated = True
                continue
            here[mark] = record
            records.append(record)
        seen |= here.keys()
    return tuple(records), repeated
