"""`@purpose`: what an operation says it is for. The gateway reads it before anything runs."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry.directive import DirectiveLocation

from schema.describe import both

PURPOSE = "purpose"


@strawberry.directive(
    name=PURPOSE,
    locations=[DirectiveLocation.QUERY, DirectiveLocation.MUTATION, DirectiveLocation.SUBSCRIPTION],
    description=both(
        "本次操作的用途,必填且仅一次;代码见 purposes。目录与自省不需要。",
        "What this operation is for: exactly one; codes are listed by `purposes`. The catalogue and introspection need none.",
    ),
)
def purpose(
    code: Annotated[str, strawberry.argument(description=both("用途代码", "Code of the purpose"))],
    case_no: Annotated[str | None, strawberry.argument(description=both("案号", "Case number"))] = None,
    reference: Annotated[
        str | None, strawberry.argument(description=both("内部文号", "The asker's own reference"))
    ] = None,
) -> None:
    """Never called: strawberry does not run operation directives, and nothing here should."""
