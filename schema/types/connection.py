"""Relay paging."""

from __future__ import annotations

import strawberry

from schema.describe import both, fact


@strawberry.type(description=both("分页信息 (Relay)", "Paging (Relay)"))
class PageInfo:
    has_next_page: bool = fact("是否有下一页", "Whether there is a next page")
    has_previous_page: bool = fact("是否有上一页", "Whether there is a previous page")
    start_cursor: str | None = fact("本页首个游标", "First cursor of this page")
    end_cursor: str | None = fact("本页末个游标", "Last cursor of this page")
