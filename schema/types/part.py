"""The envelope: how one part of an answer says what it knows, from whom, and what it does not know."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from schema.describe import both, fact, value
from schema.types.record import Doubt


@strawberry.enum(description=both("事实状态", "What is known"))
class FactState(Enum):
    FRESH = value(
        "FRESH", "各来源均已应答,数据在更新周期内", "Every source answered and the data is within its update cycle"
    )
    STALE = value("STALE", "已应答,但数据超过更新周期", "Answered, but older than the update cycle promises")
    PARTIAL = value("PARTIAL", "有记录,但并非全部", "There are records, but some are known to be missing")
    UNAVAILABLE = value("UNAVAILABLE", "未能取得,不代表没有", "Not known at present; this never means there is none")
    NOT_FOUND = value("NOT_FOUND", "来源明确答复无记录", "The sources answered that they have no record")
    WITHHELD = value("WITHHELD", "规则不允许向您提供", "The rules do not allow you to see it")


@strawberry.enum(description=both("未能取得的原因", "Why it is not known"))
class UnavailableReason(Enum):
    TIMEOUT = value("TIMEOUT", "未在时限内应答", "No answer in time")
    RATE_LIMITED = value("RATE_LIMITED", "达到来源的调用上限", "The source's limit is used up")
    CLOSED = value("CLOSED", "不在服务时间", "Outside service hours")
    DOWN = value("DOWN", "来源不可用", "The source is down")
    BREAKER_OPEN = value("BREAKER_OPEN", "连续失败,暂停访问", "It failed repeatedly and is being left alone")
    REFUSED = value("REFUSED", "来源不接受本平台凭据", "The source refuses our credentials")
    GARBAGE = value("GARBAGE", "来源应答无法识别", "The source's answer makes no sense")
    INCOMPLETE = value("INCOMPLETE", "来源应答不完整", "The source's answer is incomplete")
    TOO_LARGE = value("TOO_LARGE", "来源应答过大", "The source's answer is too large")
    CLOCK_SKEW = value("CLOCK_SKEW", "双方时钟不一致", "The clocks disagree")
    KEY_MISSING = value("KEY_MISSING", "缺少来源要求的查询要素", "The source needs a key that was not given")
    BLOCKED = value("BLOCKED", "出口规则不允许", "Forbidden by the egress rules")
    NO_SOURCE = value("NO_SOURCE", "未接入可回答的来源", "No source is connected that answers this")


@strawberry.type(description=both("一个来源对本部分的应答", "One source's answer to this part"))
class SourceAnswer:
    source: str = fact("来源代码", "Code of the source")
    state: FactState = fact("状态", "State")
    as_of: datetime | None = fact("数据时点", "As of")
    fetched_at: datetime | None = fact("取得时间", "Fetched at")
    reason: UnavailableReason | None = fact("原因", "Reason")
    retry_at: datetime | None = fact("可重试时间", "When to try again")
    rank: int = fact("权威顺序,数小者优先", "Authority; the smallest wins")


@strawberry.type(description=both("冲突中的一个值", "One value of a conflict"))
class ConflictValue:
    value: str | None = fact("值", "The value")
    source: str = fact("来源代码", "Code of the source")
    as_of: datetime | None = fact("数据时点", "As of")
    rank: int = fact("权威顺序,数小者优先", "Authority; the smallest wins")


@strawberry.type(description=both("来源之间的冲突;各值均保留", "Sources disagree; every value stands"))
class Conflict:
    field_name: str = strawberry.field(name="field", description=both("字段名", "Field name"))
    values: list[ConflictValue] = fact("各来源的值,权威在前", "The values, most authoritative first")


@strawberry.type(
    description=both(
        "待人工核对的疑似记录,未关联", "A record that may be this person's; a human decides, nothing is linked"
    )
)
class ReviewCandidate:
    source: str = fact("来源代码", "Code of the source")
    name_masked: str | None = fact("对方姓名(脱敏)", "The other side's name, masked")
    quality: list[Doubt] = fact("疑点", "Doubts")


@strawberry.type(description=both("证据信封", "The envelope"))
class Part:
    state: FactState = fact(
        "本部分状态;先看它,空列表本身不说明没有", "State of this part; read it first, an empty list alone says nothing"
    )
    source: str | None = fact("最权威的应答来源", "The most authoritative source that answered")
    as_of: datetime | None = fact("数据时点", "As of")
    fetched_at: datetime | None = fact("取得时间", "Fetched at")
    reason: UnavailableReason | None = fact("未能取得的原因", "Why something is not known")
    retry_at: datetime | None = fact(
        "可重试时间;为空则等待无济于事", "When to try again; null where waiting alone will not help"
    )
    quality: list[Doubt] = fact("数据质量", "Doubts about this part")
    withheld: list[str] = fact("因规则未提供的字段,其值为 null", "Fields the rules keep from you; their value is null")
    sources: list[SourceAnswer] = fact("各来源的应答", "What each source answered")
    conflicts: list[Conflict] = fact("来源之间的冲突", "Where the sources disagree")
    review: list[ReviewCandidate] = fact(
        "可能属于此人的记录,待人工核对,不在 records 中",
        "Rows that may be this person's, awaiting a human decision; they are not among the records",
    )
