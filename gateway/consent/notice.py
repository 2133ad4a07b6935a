"""What the person is shown, as data: the page prints these very words, and their hash stands in the record.

A change of any word here is a new `NOTICE_VERSION`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from gateway.clock import CIVIL
from gateway.consent.consent import ONE_TIME, ItemTitle, Terms

NOTICE_VERSION = "2026-11/1"
LANGUAGE = "zh-CN"  # English stands beside it


@dataclass(frozen=True, slots=True)
class Both:
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One consent in words. Nothing here names the person."""

    version: str
    organisation: Both
    purpose: Both
    items: tuple[Both, ...]
    starts: Both
    ends: Both
    use: Both
    assurances: tuple[Both, ...]

    @property
    def sha256(self) -> str:
        """Over every word shown, in a form that anyone can make again: JSON, keys sorted, UTF-8."""
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


ASSURANCES = (
    Both(
        "不同意没有任何不利后果，不影响您的社区矫正。",
        "Saying no has no disadvantage whatever and changes nothing in your correction.",
    ),
    Both(
        "监管人员看不到您同意、不同意或撤回。",
        "Those who supervise you cannot see whether you agreed, declined or withdrew.",
    ),
    Both(
        "您可以随时撤回，撤回后一分钟内对方即不能再查询。",
        "You may withdraw at any time; within a minute they can ask no more.",
    ),
    Both(
        "此前就同一用途给同一单位的同意，由本次同意取代。",
        "An earlier consent to the same body for the same purpose is replaced by this one.",
    ),
)


def notice_of(terms: Terms, organisation: Both, purpose: Both, titles: Mapping[str, ItemTitle]) -> Notice:
    """Raises KeyError for an item that has no title: what cannot be named cannot be consented to."""
    if terms.mode == ONE_TIME:
        use = Both("只能查询一次", "Once only")
    else:
        use = Both(f"每天最多 {terms.max_per_day} 次", f"At most {terms.max_per_day} times a day")
    return Notice(
        version=NOTICE_VERSION,
        organisation=organisation,
        purpose=purpose,
        items=tuple(Both(titles[item].zh, titles[item].en) for item in terms.items),
        starts=in_words(terms.starts_at),
        ends=in_words(terms.until),
        use=use,
        assurances=ASSURANCES,
    )


def in_words(at: datetime) -> Both:
    """An instant on the clock on the wall in China."""
    civil = at.astimezone(CIVIL)
    zh = f"{civil.year}年{civil.month}月{civil.day}日 {civil.hour:02d}:{civil.minute:02d}"
    return Both(zh, f"{civil:%Y-%m-%d %H:%M}")
