"""社会保险参保记录(不含缴费基数): what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import InsuranceKind, InsuranceStatus
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(
    description=both("社会保险参保记录(不含缴费基数)", "Social insurance record; the wage base is not part of it")
)
class SocialInsuranceRecord(Record):
    unit_uscc: str | None = fact("参保单位统一社会信用代码", "Employer's unified social credit code")
    unit_name: str | None = fact("参保单位名称", "Employer's name")
    kind: InsuranceKind | None = fact("险种", "Kind")
    kind_raw: str | None = fact("险种(来源原值)", "Kind, in the source's own word")
    status: InsuranceStatus | None = fact("参保状态", "State")
    status_raw: str | None = fact("参保状态(来源原值)", "State, in the source's own word")
    first_paid_on: date | None = fact("首次缴费日期", "First paid on")
    last_paid_month: str | None = fact(
        "最近缴费月份 (YYYY-MM);通常滞后 1—2 个月", "Last paid month (YYYY-MM); usually one or two months behind"
    )
    months_paid24: int | None = fact("近 24 个月缴费月数", "Months paid of the last 24")
