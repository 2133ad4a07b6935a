"""`yimen changes list`: the operator reads who changed what. Persons are shown by a pseudonym, and the reading is recorded."""

from __future__ import annotations

import json
import sys

from gateway.bootstrap.database import opened_store
from gateway.clock import SystemClock
from gateway.services.change_history import ChangesAsked, reading, told
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.settings import Settings
from gateway.store.change_log import StoredChangeLog


async def list_changes(settings: Settings, asked: ChangesAsked) -> int:
    async with opened_store(settings) as store:
        log = StoredChangeLog(store.database, SystemClock())
        found = await log.read(asked, reading(asked, OPERATOR_ORG, OPERATOR))
    for one in found:
        shown = told(store.subjects, OPERATOR_ORG, one)
        person = f" 当事人 person {shown['person']}" if shown["person"] else ""
        print(
            f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.kind:26} {shown['object']}{person}  {one.actor_org or '-'}/{one.actor_user or '-'}\n"
            f"    {one.id}  {json.dumps(shown['detail'], ensure_ascii=False, sort_keys=True)}"
        )
    if not found:
        print("没有记录 · nothing recorded")
    elif len(found) == asked.limit:
        print(f"还有更多 · there may be more: --after {found[-1].id}", file=sys.stderr)
    return 0
