"""居住登记: what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import ResidenceStatus, ResidenceType
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("居住登记", "Residence record of one source"))
class ResidenceRecord(Record):
    reg_no: str | None = fact("居住登记号", "Registration number")
    admin: str | None = fact("所在行政区划 (GB/T 2260)", "Administrative division (GB/T 2260)")
    address: str | None = fact("居住地址", "Address")
    standard_address_code: str | None = fact("标准地址编码", "Standard address code")
    residence_type: ResidenceType | None = fact("居住事由", "Why the person lives there")
    residence_type_raw: str | None = fact("居住事由(来源原值)", "Why the person lives there, in the source's own word")
    start_on: date | None = fact("登记日期", "Registered on")
    left_on: date | None = fact("离开日期", "Left on")
    landlord_masked: str | None = fact("房主姓名(脱敏)", "Landlord's name, masked")
    permit_no: str | None = fact("居住证号", "Residence permit number")
    permit_valid_to: date | None = fact("居住证有效期至", "Permit endorsed until")
    status: ResidenceStatus | None = fact("登记状态", "State of the registration")
    status_raw: str | None = fact("登记状态(来源原值)", "State of the registration, in the source's own word")
