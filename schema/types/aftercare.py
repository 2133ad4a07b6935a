"""安置帮教记录: what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import EmploymentState
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("安置帮教记录", "Aftercare record"))
class AftercareRecord(Record):
    start_on: date | None = fact("帮教开始日期", "Starts on")
    until_on: date | None = fact("帮教截止日期", "Ends on")
    help_items: list[str] | None = fact("帮教措施", "Help given")
    visits: list[str] | None = fact("走访记录日期", "Dates of visits")
    employment_state: EmploymentState | None = fact("就业状况", "Employment")
    employment_state_raw: str | None = fact("就业状况(来源原值)", "Employment, in the source's own word")
    remark: str | None = fact("备注", "Remark")
