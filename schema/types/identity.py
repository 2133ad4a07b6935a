"""身份记录: what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import LifeStatus, Sex
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("身份记录", "Identity record of one source"))
class IdentityRecord(Record):
    name: str | None = fact("姓名", "Name")
    used_names: list[str] | None = fact("曾用名", "Former names")
    id_type: str | None = fact("证件类型", "Kind of identity document")
    id_no: str | None = fact("公民身份号码 (GB 11643)", "Citizen identity number (GB 11643)")
    sex: Sex | None = fact("性别", "Sex")
    sex_raw: str | None = fact("性别(来源原值)", "Sex, in the source's own word")
    birth_date: date | None = fact("出生日期", "Date of birth")
    ethnicity: str | None = fact("民族代码 (GB/T 3304)", "Ethnicity code (GB/T 3304)")
    hukou_admin: str | None = fact("户籍地行政区划 (GB/T 2260)", "Place of household registration (GB/T 2260)")
    hukou_address: str | None = fact("户籍地址", "Address of household registration")
    phone: str | None = fact("联系电话", "Telephone")
    photo_hash: str | None = fact("照片摘要", "Digest of the photo, never the photo")
    life_status: LifeStatus | None = fact("人口状态", "Status in the population register")
    life_status_raw: str | None = fact(
        "人口状态(来源原值)", "Status in the population register, in the source's own word"
    )
