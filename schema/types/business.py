"""市场主体登记记录: what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import BusinessRole, BusinessStatus
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("市场主体登记记录", "Business registration record"))
class BusinessRecord(Record):
    uscc: str | None = fact("统一社会信用代码 (GB 32100)", "Unified social credit code (GB 32100)")
    name: str | None = fact("名称", "Name of the business")
    role: BusinessRole | None = fact("任职或投资身份", "Role")
    role_raw: str | None = fact("任职或投资身份(来源原值)", "Role, in the source's own word")
    status: BusinessStatus | None = fact("登记状态", "State of the registration")
    status_raw: str | None = fact("登记状态(来源原值)", "State of the registration, in the source's own word")
    est_on: date | None = fact("成立日期", "Established on")
    share_ratio: float | None = fact("持股比例 (%)", "Share in per cent")
    abnormal: bool | None = fact("是否列入经营异常名录", "On the list of abnormal operations")
