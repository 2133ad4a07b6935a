"""The mutation root: what an officer may do here beside asking. Run serially, never over GET."""

from __future__ import annotations

from typing import Any

from schema.describe import both
from schema.make import make_argument, make_field, make_type
from schema.types.credential_offer import CredentialOfferFlow, OfferedCredential

OFFER_CREDENTIAL = "offerCredential"
CREDENTIAL = "credential"
"""The argument that names what is offered, and the noun under which policy decides on it."""


def type_of(configuration_id: str) -> str:
    """`residence.w3c` is the type `residence` in another form."""
    return configuration_id.partition(".")[0]


def mutation_type() -> Any:
    offer = make_field(
        OFFER_CREDENTIAL,
        OfferedCredential | None,
        both(
            "向一人发出凭证领取邀请;用途须为 CREDENTIAL_OFFER。无依据、查无此人、已封存同为 NO_GROUND",
            "Offer credentials to a person, under purpose CREDENTIAL_OFFER. No ground, unknown and sealed are one NO_GROUND",
        ),
        arguments=[
            make_argument(
                "idNo", str, "公民身份号码,18 位或旧 15 位", "Citizen identity number, 18 or legacy 15 characters"
            ),
            make_argument("name", str, "姓名", "Name"),
            make_argument(
                CREDENTIAL, list[str], "凭证配置代码,如 residence", "Credential configuration ids, e.g. residence"
            ),
            make_argument(
                "txCode",
                bool,
                "是否要求领取码（仅预授权码）",
                "Whether a transaction code is asked for (pre-authorized code only)",
                True,
            ),
            make_argument("flow", CredentialOfferFlow, "领取方式", "Flow", CredentialOfferFlow.PRE_AUTHORIZED_CODE),
            make_argument("send", bool, "是否发送到本人登记的手机", "Whether to send it to the enrolled phone", False),
        ],
    )
    return make_type("Mutation", [offer], both("变更", "Mutations"))
