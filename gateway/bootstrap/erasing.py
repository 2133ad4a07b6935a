"""`yimen persons erase`."""

from __future__ import annotations

import json

from gateway.bootstrap.database import opened_store
from gateway.bootstrap.person_named import subject_of, typed_id_no
from gateway.bootstrap.sure import is_sure
from gateway.clock import SystemClock
from gateway.errors import RequestRefused
from gateway.policy.claim import recordable
from gateway.services.erase_person import ErasePerson
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.settings import Settings
from gateway.store import Store

_SURE = "erase"
_ASKED = (
    "密钥一经销毁不可恢复，备份亦不可。输入 erase 确认\n"
    "What a destroyed key opened is gone for good, in every backup. Type erase to confirm:"
)


async def erase_person(settings: Settings, *, reason: str, pid: str | None, org: str | None, sure: bool) -> int:
    """The command: prints the certificate. An ID number is read from standard input, never from the command line, which
    others can see and shells remember. Raises RequestRefused, SubjectUnknown."""
    if not recordable(reason):
        raise RequestRefused("REASON_REFUSED", "the reason is a code or file mark: no ID number, no more than a line")
    if pid is not None and org is None:
        raise RequestRefused("ORG_MISSING", "a pid means something together with --org only")
    async with opened_store(settings) as store:
        subject_id = await _by_pid(store, pid, org) if pid and org else await subject_of(store, typed_id_no())
        if not sure and not is_sure(_ASKED, _SURE):
            return 1
        erase = ErasePerson(store.erasures, SystemClock())
        done = await erase(subject_id, reason=reason, org=OPERATOR_ORG, user=OPERATOR)
    print(json.dumps(done, ensure_ascii=False, indent=2))
    return 0


async def _by_pid(store: Store, pid: str, org: str) -> str:
    found = await store.erasures.by_pid(pid, org)
    if found is None:
        raise RequestRefused("SUBJECT_UNKNOWN", "nobody is known to that organisation under this pid")
    return found
