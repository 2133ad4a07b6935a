"""电子定位决定(社区矫正法第 29 条): what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(
    description=both(
        "电子定位决定(社区矫正法第 29 条)", "Electronic monitoring order (Community Corrections Law, Art. 29)"
    )
)
class MonitoringOrder(Record):
    order_no: str | None = fact("决定书号", "Order number")
    legal_ground: int | None = fact("法定情形 (1—5)", "Legal ground, 1 to 5")
    approved_by: str | None = fact("批准人职务", "Post of the approver")
    from_: date | None = strawberry.field(name="from", description=both("起始日期", "From"))
    to: date | None = fact("截止日期(不超过三个月)", "To, three months at most")
    renewal_of: str | None = fact("续期的原决定书号", "Number of the order it renews")
    device_id: str | None = fact("设备编号", "Device number")
    lifted_at: date | None = fact("解除日期", "Lifted on")
