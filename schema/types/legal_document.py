"""法律文书(元数据): what one source says, in canonical words."""

from __future__ import annotations

from datetime import date

import strawberry

from schema.codes import DocumentType
from schema.describe import both, fact
from schema.types.record import Record


@strawberry.type(description=both("法律文书(元数据)", "Legal document, metadata only"))
class LegalDocument(Record):
    doc_no: str | None = fact("文书号", "Document number")
    doc_type: DocumentType | None = fact("文书种类", "Kind of document")
    doc_type_raw: str | None = fact("文书种类(来源原值)", "Kind of document, in the source's own word")
    title: str | None = fact("标题", "Title")
    issuer_org: str | None = fact("制作机关", "Issuing body")
    issued_on: date | None = fact("制作日期", "Issued on")
    effective_on: date | None = fact("生效日期", "Effective on")
    sha256: str | None = fact("原文 SHA-256 摘要", "SHA-256 of the original")
    media_type: str | None = fact("媒体类型", "Media type")
    case_no: str | None = fact("案号", "Case number")
    supersedes: str | None = fact("所更正的文书号", "Number of the document it corrects")
