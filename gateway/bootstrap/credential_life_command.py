"""`yimen credentials list | revoke | recheck | errands`."""

from __future__ import annotations

import re
from datetime import datetime

from gateway.bootstrap.credential_offers import plain_issued
from gateway.bootstrap.credential_types import types_of
from gateway.bootstrap.database import opened_store
from gateway.bootstrap.person_named import subject_of, typed_id_no
from gateway.clock import CIVIL, SystemClock
from gateway.errors import RequestRefused
from gateway.policy.claim import recordable
from gateway.services.credentials.ports import CredentialState
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.settings import Settings
from gateway.store.credentials.errands import StoredErrands

_STATES = {
    CredentialState.VALID: "有效 valid",
    CredentialState.SUSPENDED: "暂停 suspended",
    CredentialState.REVOKED: "已撤销 revoked",
}
_REASON = re.compile(r"[A-Z0-9][A-Z0-9_./-]{0,39}")


async def list_credentials(settings: Settings, person: str) -> int:
    """One line a batch. What a credential says is not shown, nor where it was."""
    async with opened_store(settings) as store:
        found = await plain_issued(store, SystemClock()).of_person(await subject_of(store, typed_id_no(person)))
    batches = {one.batch_id: one for one in found}
    for batch_id, one in batches.items():
        copies = sum(each.batch_id == batch_id for each in found)
        state = _STATES[one.state] + (f" ({one.reason})" if one.reason else "")
        print(
            f"{batch_id}  {one.configuration_id}  {copies} 份 copies  {_when(one.issued_at)} - {_when(one.valid_until)}  "
            f"{state}  {one.stored or '-'}"
        )
    return 0


async def revoke_batch(settings: Settings, batch_id: str, reason: str) -> int:
    """Raises RequestRefused for a reason that must not be kept."""
    if not _REASON.fullmatch(reason) or not recordable(reason):
        raise RequestRefused(
            "REASON_REFUSED", "the reason is a code or file mark in capitals, nothing about the person"
        )
    async with opened_store(settings) as store:
        done = await plain_issued(store, SystemClock()).set_state(
            batch_id, CredentialState.REVOKED, reason, actor_org=OPERATOR_ORG, actor_user=OPERATOR
        )
    print("已撤销 revoked" if done else "没有可撤销的批次 there is nothing of this id to end")
    return 0 if done else 1


async def recheck(settings: Settings, person: str | None, types: list[str] | None, *, everybody: bool) -> int:
    """Only puts it first in line: a running gateway looks, within seconds. Raises RequestRefused."""
    if (person is not None or types is not None) == everybody:
        raise RequestRefused("RECHECK_UNCLEAR", "name a person or types, or say --all")
    unknown = set(types or ()) - types_of(settings).keys()
    if unknown:
        raise RequestRefused("CREDENTIAL_UNKNOWN", f"no type is called {', '.join(sorted(unknown))}")
    async with opened_store(settings) as store:
        who = None if person is None else await subject_of(store, typed_id_no(person))
        number = await plain_issued(store, SystemClock()).hasten(who, types)
    print(f"{number} 批将立即复查 batches are looked at now")
    return 0


async def show_errands(settings: Settings, since: str | None) -> int:
    """By type and by the body that would have asked for the paper. Raises RequestRefused."""
    types = types_of(settings)
    papers = frozenset(one.id for one in types.values() if one.paper is not None)
    async with opened_store(settings) as store:
        totals = await StoredErrands(store.database, SystemClock(), papers).totals(_day(since))
        names = {one.org_id: one.name_zh for one in await store.identities.organisations()}
    for type_id in sorted({known for known, _ in totals}):
        of_type = {org: number for (known, org), number in sorted(totals.items()) if known == type_id}
        paper = types[type_id].paper if type_id in types else None
        named = f"{paper.zh} / {paper.en}" if paper is not None else type_id
        print(f"{sum(of_type.values()):>8}  {type_id}: {named}")
        for org, number in of_type.items():
            print(f"{number:>12}  {org} {names.get(org, '')}")
    print(f"{sum(totals.values()):>8}  少跑的腿 errands avoided")
    return 0


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=CIVIL)
    except ValueError:
        raise RequestRefused("DAY_INVALID", "a day is written 2026-11-26") from None


def _when(at: datetime) -> str:
    return f"{at.astimezone(CIVIL):%Y-%m-%d}"
