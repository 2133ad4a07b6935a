"""The roots: where a question begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from schema.describe import both
from schema.make import Names, make_argument, make_field, make_type
from schema.nouns import NounSpec
from schema.types.catalogue import CatalogueEntry, PurposeEntry, SourceHealth
from schema.types.credential_offer import CredentialOffer


@strawberry.type(description=both("订阅", "Subscriptions"))
class Subscription:
    @strawberry.subscription(  # type: ignore[untyped-decorator]  # strawberry leaves it untyped
        description=both("来源健康状况的变化", "Changes in the health of the sources")
    )
    async def source_health(self) -> AsyncGenerator[SourceHealth, None]:
        """Served by `schema.wiring`; this body only gives the field its type."""
        nothing: tuple[SourceHealth, ...] = ()
        for item in nothing:
            yield item


def query_type(declared: Sequence[NounSpec], names: Names) -> Any:
    """The query root: persons, cases, the catalogue, and one field for each declared noun that has keys."""
    person: Any = names["Person"]
    person_key: Any = make_type(
        "PersonKey",
        [
            make_field(
                "idNo", str, both("公民身份号码,18 位或旧 15 位", "Citizen identity number, 18 or legacy 15 characters")
            ),
            make_field("name", str, both("姓名", "Name")),
        ],
        both("查询一人的要素", "What a person is asked by"),
        is_input=True,
    )
    fields = [
        make_field(
            "person",
            person | None,
            both(
                "查询一人;部分来源的故障不影响其他部分;仅在有错误时为 null,查无此人则各部分为 NOT_FOUND",
                "One person; a failing source leaves the other parts alone. Null only beside an error; of a person nobody knows every part is NOT_FOUND",
            ),
            arguments=[
                make_argument(
                    "idNo", str, "公民身份号码,18 位或旧 15 位", "Citizen identity number, 18 or legacy 15 characters"
                ),
                make_argument("name", str, "姓名", "Name"),
            ],
        ),
        make_field(
            "people",
            list[person | None],
            both(
                "批量查询,最多 100 人,顺序与输入一致;号码无效的一项为 null",
                "Up to 100 persons, in the order asked; null for one whose number is not valid",
            ),
            arguments=[make_argument("of", list[person_key], "查询要素", "Keys")],
        ),
        make_field(
            "case",
            names["CorrectionCasePart"],
            both("按案号查询案件", "The case of a case number"),
            arguments=[make_argument("caseNo", str, "案号", "Case number")],
        ),
        make_field(
            "cases",
            names["CorrectionCaseConnection"],
            both("执行地的案件列表;每页须看 state", "The cases of a place of execution; look at `state` on every page"),
            arguments=[
                make_argument("executionAdmin", str, "执行地行政区划", "Place of execution (GB/T 2260)"),
                make_argument("first", int, "每页条数,最多 100", "Page size, 100 at most", 20),
                make_argument("after", str | None, "从该游标之后开始", "Start after this cursor", None),
            ],
        ),
        make_field(
            "catalogue",
            list[CatalogueEntry],
            both("共享目录;无需用途", "The sharing catalogue; needs no purpose"),
        ),
        make_field(
            "purposes", list[PurposeEntry], both("登记的用途;无需用途", "Registered purposes; needs no purpose")
        ),
        *_offers(),
    ]
    for noun in declared:
        keys = sorted({name for by in noun.root_keys for name in by})
        if not keys:
            continue
        kind: Any = str if len(noun.root_keys) == 1 else str | None
        default = strawberry.UNSET if len(noun.root_keys) == 1 else None
        arguments = [make_argument(key, kind, "查询要素", "Key", default) for key in keys]
        fields.append(
            make_field(noun.name, names[noun.part_name], both(noun.title.zh, noun.title.en), arguments=arguments)
        )
    return make_type("Query", fields, both("查询", "Queries"))


def _offers() -> list[StrawberryField]:
    return [
        make_field(
            "credentialOffer",
            CredentialOffer | None,
            both(
                "本机构发出的一份凭证领取邀请;其他机构的、不存在的均为 null",
                "An offer of the asker's own body; null for another's and for none",
            ),
            arguments=[make_argument("id", strawberry.ID, "编号", "Id")],
        ),
        make_field(
            "credentialOffers",
            list[CredentialOffer],
            both(
                "本机构向一人发出的凭证领取邀请,新的在前;无依据则为空",
                "What the asker's own body offered to a person, newest first; empty without a ground",
            ),
            arguments=[
                make_argument(
                    "idNo", str, "公民身份号码,18 位或旧 15 位", "Citizen identity number, 18 or legacy 15 characters"
                ),
                make_argument("name", str, "姓名", "Name"),
            ],
        ),
    ]
