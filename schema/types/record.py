"""What every record carries, whatever noun it is of."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from schema.describe import both, fact, value


@strawberry.enum(description=both("共享属性", "Share class of the catalogue entry"))
class ShareClass(Enum):
    U = value("U", "无条件共享", "Shared unconditionally")
    C = value("C", "有条件共享", "Shared under a condition")
    N = value("N", "不予共享", "Not shared, on a legal ground")


@strawberry.enum(description=both("封存状态", "Sealing state"))
class SealState(Enum):
    NONE = value("NONE", "未封存", "Not sealed")
    SEALED_JUVENILE = value("SEALED_JUVENILE", "未成年人犯罪记录封存", "Sealed: juvenile record")
    SEALED_PUBLIC_ORDER = value("SEALED_PUBLIC_ORDER", "治安违法记录封存", "Sealed: public-order penalty")


@strawberry.enum(description=both("数据质量标记", "Doubts that travel with a value"))
class QualityFlag(Enum):
    NAME_VARIANT = value(
        "NAME_VARIANT", "姓名写法不同(间隔点、繁简、全半角)", "Name written differently: dot, script or width"
    )
    ID_15 = value("ID_15", "来源为 15 位旧号码", "The source holds the 15-digit number")
    ID_CHECKSUM_BAD = value("ID_CHECKSUM_BAD", "身份号码校验位错误", "Check digit of the ID number is wrong")
    CODE_UNMAPPED = value("CODE_UNMAPPED", "代码未能对应", "A code that is in no table")
    DATE_GUESSED = value("DATE_GUESSED", "日期不完整,已推断", "Parts of a date were missing and were assumed")
    DATE_BAD = value("DATE_BAD", "日期不存在", "The source holds an impossible date")
    ADDRESS_UNPARSED = value("ADDRESS_UNPARSED", "地址无法解析", "Address could not be parsed")
    ENCODING_REPAIRED = value("ENCODING_REPAIRED", "存在无法识别的字符", "Characters were lost or repaired")
    STALE = value("STALE", "数据陈旧", "Older than the source promises")
    CONFLICT = value("CONFLICT", "来源之间不一致", "Sources disagree")
    DUPLICATE = value("DUPLICATE", "来源重复记录", "The source holds it twice")
    SOURCE_SILENT = value("SOURCE_SILENT", "有来源未应答", "A source that should know did not answer")
    DISPUTED = value("DISPUTED", "本人有异议,尚在核查", "The person disputes it; it is being looked into")


@strawberry.type(description=both("字段的质量标记", "A doubt, and the field it is about"))
class Doubt:
    field_name: str | None = strawberry.field(
        name="field", description=both("字段名;为空指整条记录", "Field name; null means the whole record")
    )
    flag: QualityFlag = strawberry.field(description=both("标记", "The flag"))


@strawberry.type(description=both("一个来源的一条记录", "One record of one source"))
class Record:
    source: str = fact("来源代码", "Code of the source")
    source_record_id: str | None = fact("来源记录号", "The source's own record number")
    as_of: datetime | None = fact("数据时点", "When the source last knew this to be true")
    fetched_at: datetime = fact("取得时间", "When the gateway received it")
    share_class: ShareClass = fact("共享属性", "Share class of the catalogue entry")
    seal_state: SealState = fact("封存状态", "Sealing state")
    quality: list[Doubt] = fact("数据质量", "Doubts about this record")
