"""The sharing catalogue: which source offers what, on what terms, and how it is doing. Open to every caller."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from schema.describe import both, fact, value
from schema.types.part import UnavailableReason
from schema.types.record import ShareClass


@strawberry.enum(description=both("来源运行状态", "How a source is doing"))
class SourceState(Enum):
    UP = value("UP", "正常", "Up")
    DEGRADED = value("DEGRADED", "不稳定", "Degraded")
    DOWN = value("DOWN", "不可用", "Down")
    CLOSED = value("CLOSED", "不在服务时间", "Outside service hours")
    UNKNOWN = value("UNKNOWN", "尚未访问", "Not asked yet")


@strawberry.enum(description=both("更新周期", "Update cycle"))
class UpdateCycle(Enum):
    REALTIME = value("REALTIME", "实时", "Real time")
    DAILY = value("DAILY", "每日", "Daily")
    WEEKLY = value("WEEKLY", "每周", "Weekly")
    MONTHLY = value("MONTHLY", "每月", "Monthly")


@strawberry.type(description=both("中英文文本", "A text in both languages"))
class BilingualText:
    zh: str = fact("中文", "Chinese")
    en: str = fact("英文", "English")


@strawberry.type(description=both("来源提供的一类事项", "One noun a source answers"))
class CatalogueItem:
    noun: str = fact("事项", "Noun")
    by: list[str] = fact("查询要素", "Keys it is asked by")
    fields: list[str] = fact("提供的字段", "Fields it answers")
    rank: int = fact("权威顺序,数小者优先", "Authority; the smallest wins")


@strawberry.type(description=both("来源健康状况", "Health of a source"))
class SourceHealth:
    source: str = fact("来源代码", "Code of the source")
    state: SourceState = fact("状态", "State")
    reason: UnavailableReason | None = fact("最近一次失败原因", "Why it last failed")
    last_ok_at: datetime | None = fact("最近成功时间", "Last answered at")
    last_failure_at: datetime | None = fact("最近失败时间", "Last failed at")
    p50_ms: float | None = fact("中位应答毫秒数", "Median answer time in ms")


@strawberry.type(description=both("共享目录条目", "Entry of the sharing catalogue"))
class CatalogueEntry:
    code: str = fact("来源代码", "Code")
    title: BilingualText = fact("名称", "Title")
    kind: str = fact("接入方式", "Kind of interface")
    provider: BilingualText = fact("提供单位", "Provider")
    items: BilingualText = fact("共享事项", "What is shared")
    update_cycle: UpdateCycle = fact("更新周期", "Update cycle")
    share_class: ShareClass = fact("共享属性", "Share class")
    condition: BilingualText | None = fact("共享条件", "Condition of sharing")
    legal_ground: BilingualText | None = fact("不予共享的法律依据", "Legal ground for not sharing")
    answers: list[CatalogueItem] = fact("可查询事项", "What can be asked")
    health: SourceHealth = fact("健康状况", "Health")


@strawberry.type(description=both("登记的查询用途", "A registered purpose"))
class PurposeEntry:
    code: str = fact("用途代码,用于 @purpose(code:)", "Code, for @purpose(code:)")
    title: BilingualText = fact("名称", "Title")
    legal_basis: BilingualText = fact("法律依据", "Legal basis")
    case_required: bool = fact("是否必须填写案号", "Whether a case number is needed")
