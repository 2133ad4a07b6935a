"""What one request may cost, as an operator may set it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.settings import parsing
from gateway.settings.described import setting


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost; in a settings file and the environment each name starts with `limit_`."""

    depth: int = setting(parsing.number(int, 1, 100), 12, "查询最大嵌套层数", "deepest nesting of a query")
    aliases: int = setting(parsing.number(int, 0, 10_000), 30, "一次查询中别名的最大数量", "aliases in one operation")
    root_fields: int = setting(
        parsing.number(int, 1, 1000), 20, "一次查询中根字段的最大数量", "root fields in one operation"
    )
    cost: int = setting(
        parsing.number(int, 1, 10_000_000), 20_000, "一次查询的最大代价", "cost of one operation, in cost units"
    )
    body_bytes: int = setting(
        parsing.number(int, 1024, 64 << 20), 1 << 20, "请求体最大字节数", "largest request body, in bytes"
    )
    header_bytes: int = setting(
        parsing.number(int, 1024, 1 << 20), 32 << 10, "请求头最大字节数", "largest request head, in bytes"
    )
    json_depth: int = setting(
        parsing.number(int, 2, 1000), 32, "请求 JSON 最大嵌套层数", "deepest nesting of a JSON body"
    )
    batch_persons: int = setting(parsing.number(int, 1, 1000), 100, "一次批量查询的最多人数", "persons in one batch")
    operation_deadline_s: float = setting(
        parsing.number(float, 0.05, 60),
        1.8,
        "一次查询的总时限（秒）",
        "seconds an operation may take; what is late is UNAVAILABLE",
    )
    planning_ms_per_s: int = setting(
        parsing.number(int, 1, 1000),
        50,
        "一个用户的新查询文档每秒可占用的解析编译时间（毫秒）；全体合计为其四倍",
        "milliseconds a second that new query documents of one user (or client without one) may take of a worker; all together four times that",
    )
