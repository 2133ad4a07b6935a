"""社区矫正案件(一次决定一件): what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import CaseState, CorrectionType, CrimeCategory, DecidingOrgan, OriginalPenalty, SupervisionLevel
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("社区矫正案件(一次决定一件)", "Correction case; one decision is one case"))
class CorrectionCase(Record):
    case_no: str | None = fact("案号", "Case number")
    type: CorrectionType | None = fact("矫正类别", "Type of correction")
    type_raw: str | None = fact("矫正类别(来源原值)", "Type of correction, in the source's own word")
    deciding_organ: DecidingOrgan | None = fact("决定机关", "Deciding organ")
    deciding_organ_raw: str | None = fact("决定机关(来源原值)", "Deciding organ, in the source's own word")
    decision_doc_no: str | None = fact("决定文书号", "Number of the decision")
    effective_on: date | None = fact("生效日期", "Effective on")
    start_on: date | None = fact("矫正开始日期", "Correction starts on")
    end_on: date | None = fact("矫正结束日期", "Correction ends on")
    crime_category: CrimeCategory | None = fact("犯罪类型", "Category of crime")
    crime_category_raw: str | None = fact("犯罪类型(来源原值)", "Category of crime, in the source's own word")
    charge_text: str | None = fact("罪名", "Charge")
    original_penalty: OriginalPenalty | None = fact("原判刑罚", "Original penalty")
    original_penalty_raw: str | None = fact("原判刑罚(来源原值)", "Original penalty, in the source's own word")
    add_penalties: list[str] | None = fact("附加刑", "Additional penalties")
    prohibitions: list[str] | None = fact("禁止令", "Prohibition orders")
    level: SupervisionLevel | None = fact("管理级别", "Level of supervision")
    level_raw: str | None = fact("管理级别(来源原值)", "Level of supervision, in the source's own word")
    execution_admin: str | None = fact("执行地行政区划", "Place of execution (GB/T 2260)")
    agency_org: str | None = fact("社区矫正机构", "Corrections agency")
    office_org: str | None = fact("司法所", "Justice office")
    state: CaseState | None = fact("案件状态", "State of the case")
    state_raw: str | None = fact("案件状态(来源原值)", "State of the case, in the source's own word")
    minor_at_offence: bool | None = fact("犯罪时未满十八周岁", "Under 18 at the offence")
