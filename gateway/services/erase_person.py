"""Forget a person, everywhere and in every backup, and be able to show that it was done.

In this order: that it is done is recorded, their key is destroyed (and its mirror), what is left of them in the clear database
is removed. A crash between any two steps is finished by the next call, or at the next start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.caller import Change
from gateway.clock import Clock

KIND = "PERSON_ERASED"
GONE: Mapping[str, tuple[str, str]] = {
    "key": (
        "本人密钥（含镜像）：此前所有备份中的姓名、证件号码、手机号码及存证原文均不可再解",
        "the person's key and its mirror: name, ID number, phone and what opens the ledger's entries, in every backup too",
    ),
    "identity": ("姓名、证件号码", "name and ID number"),
    "phones": ("手机号码", "phones"),
    "links": ("登录链接", "links to their pages"),
    "sessions": ("登录会话", "sessions"),
    "devices": ("记住的设备", "remembered devices"),
    "devices_bound": ("佩戴及报到设备与本人的对应", "which supervision devices were theirs"),
    "consents": (
        "授权中的本人信息与回执；有效授权已终止",
        "personal parts and receipts of consents; those in force have ended",
    ),
    "reasons": ("紧急调阅理由原文", "the words of reasons for emergency access"),
    "credentials": (
        "电子证明中的事实及与本人的对应；有效的已全部撤销",
        "what electronic credentials said and whose they were; those in force are revoked",
    ),
    "offers": ("领取邀请及其经过", "offers of credentials with their timelines"),
    "wallets": ("钱包的领取授权、令牌与待签发请求", "grants and tokens of wallets, and requests that waited"),
    "disputes": ("异议与答复的原文及与本人的对应", "the words of disputes and of their answers, and whose they were"),
}
STAYS: Mapping[str, tuple[str, str]] = {
    "ledger": (
        "存证日志条目：仅含机构、类别、时间及承诺值，无法再与本人对应；删除会使他人的证明失效",
        "the ledger's entries: body, kind, time and a commitment nobody can connect with the person; without them the proofs of "
        "everybody else would break",
    ),
    "events": (
        "访问与变更记录：仅含内部代号，依法须留存备查",
        "records of accesses and changes: under an opaque id, kept by law for those who supervise",
    ),
    "cases": (
        "案件登记：仅含内部代号，按法定期限留存",
        "the register of cases: under an opaque id, kept as long as the law says",
    ),
    "id_hmac": (
        "证件号码的带密钥摘要：不含号码，用于拒绝重新登记",
        "a keyed digest of the ID number: not the number; so that the person is not made anew by being asked about",
    ),
    "statuses": (
        "状态列表：仅含序号与已撤销状态，供核验方判断证明已失效，无法与本人对应",
        "status lists: numbers and that they are revoked, so that whoever was shown a credential sees it has ended",
    ),
    "departments": ("各来源部门自有数据：不在一门之内", "what the departments themselves keep: it was never here"),
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """`entry_id`: of the change and of its entry in the ledger. `done_at` None: begun, to be finished."""

    subject_id: str
    entry_id: str
    begun_at: datetime
    done_at: datetime | None = None


class Erasures(Protocol):
    async def begin(self, subject_id: str, change: Change, at: datetime) -> Erasure:
        """Recorded and durable on return, with the intent to destroy the key; begun before: as it was begun then.

        Raises SubjectUnknown.
        """
        ...

    async def destroy_key(self, subject_id: str) -> None:
        """In the store of keys and its mirror; the same again does nothing."""
        ...

    async def clear(self, subject_id: str, at: datetime) -> Mapping[str, int]:
        """Remove what is left, by the names of GONE; how many rows there were."""
        ...

    async def finish(self, subject_id: str, at: datetime) -> Erasure: ...

    async def unfinished(self) -> Sequence[Erasure]: ...


class ErasePerson:
    def __init__(self, erasures: Erasures, clock: Clock) -> None:
        self._erasures, self._clock = erasures, clock

    async def __call__(self, subject_id: str, *, reason: str, org: str, user: str) -> Mapping[str, Any]:
        """The certificate. `reason` is a code or file mark, never anything about the person. Raises SubjectUnknown.

        The record names nobody: it must stay open to those who supervise when the person's key is gone.
        """
        change = Change(KIND, "person", org, user, None, {"reason": reason})
        begun = await self._erasures.begin(subject_id, change, self._clock.now())
        return await self._go_on(begun)

    async def finish_all(self) -> int:
        """What a crash left half done; how many there were."""
        unfinished = await self._erasures.unfinished()
        for one in unfinished:
            await self._go_on(one)
        return len(unfinished)

    async def _go_on(self, begun: Erasure) -> Mapping[str, Any]:
        await self._erasures.destroy_key(begun.subject_id)
        removed = await self._erasures.clear(begun.subject_id, self._clock.now())
        return certificate(await self._erasures.finish(begun.subject_id, self._clock.now()), removed)


def certificate(erasure: Erasure, removed: Mapping[str, int]) -> Mapping[str, Any]:
    """For the files: names nobody. `removed` counts what this run found; repeated, it is zero and the rest is the same."""
    return {
        "format": "yimen-erasure/v1",
        "begun": erasure.begun_at.isoformat(),
        "done": None if erasure.done_at is None else erasure.done_at.isoformat(),
        "entry": erasure.entry_id,
        "gone": [{"what": name, "zh": zh, "en": en, "rows": removed.get(name)} for name, (zh, en) in GONE.items()],
        "stays": [{"what": name, "zh": zh, "en": en} for name, (zh, en) in STAYS.items()],
    }
