"""An offer of a credential to a person, as the body that made it sees it: how far it has come, never where it is shown."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from schema.describe import both, fact, value


@strawberry.enum(description=both("领取方式", "How the person's wallet is let in"))
class CredentialOfferFlow(Enum):
    PRE_AUTHORIZED_CODE = value(
        "PRE_AUTHORIZED_CODE", "预授权码：凭链接领取", "Pre-authorized code: whoever holds the link"
    )
    AUTHORIZATION_CODE = value(
        "AUTHORIZATION_CODE",
        "授权码：本人登录后领取（高保障）",
        "Authorization code: the person logs in (high assurance)",
    )


@strawberry.enum(description=both("领取邀请的状态", "State of an offer"))
class CredentialOfferState(Enum):
    OPEN = value("OPEN", "可领取", "Open")
    REDEEMED = value("REDEEMED", "已领取", "Redeemed")
    BURNT = value("BURNT", "领取码错误次数过多，已作废", "Burnt: too many wrong transaction codes")
    CANCELLED = value("CANCELLED", "已撤回", "Cancelled")
    EXPIRED = value("EXPIRED", "已过期", "Expired")


@strawberry.enum(description=both("领取过程中的一步", "A step on the way of an offer"))
class CredentialOfferStep(Enum):
    CREATED = value("CREATED", "已生成", "Made")
    SENT = value("SENT", "已发送给本人", "Sent to the person")
    OPENED = value("OPENED", "链接首次打开", "Link opened for the first time")
    CODE_WRONG = value("CODE_WRONG", "领取码输错", "Wrong transaction code")
    REDEEMED = value("REDEEMED", "已兑换", "Redeemed")
    DEFERRED = value("DEFERRED", "来源暂不可用，稍后签发", "Deferred: a source was not there")
    ISSUED = value("ISSUED", "已签发", "Issued")
    STORED = value("STORED", "钱包已保存", "Stored by the wallet")
    FAILED = value("FAILED", "钱包未能保存", "The wallet could not store it")
    DELETED = value("DELETED", "已从钱包删除", "Deleted from the wallet")
    BURNT = value("BURNT", "已作废", "Burnt")
    CANCELLED = value("CANCELLED", "已撤回", "Cancelled")


@strawberry.type(description=both("领取过程的一步及时间", "A step and when"))
class CredentialOfferMoment:
    step: CredentialOfferStep = fact("步骤", "Step")
    at: datetime = fact("时间", "When")


@strawberry.type(
    description=both(
        "本机构发出的凭证领取邀请;不含在何处出示", "An offer of the asker's own body; never where it is shown"
    )
)
class CredentialOffer:
    id: strawberry.ID = fact("编号", "Id")
    credential: list[str] = fact("凭证配置代码", "Credential configuration ids")
    flow: CredentialOfferFlow = fact("领取方式", "Flow")
    state: CredentialOfferState = fact("状态", "State")
    tx_code_needed: bool = fact("领取时是否须输入领取码", "Whether a transaction code is asked for")
    created_at: datetime = fact("生成时间", "Made at")
    expires_at: datetime = fact("有效期至", "Open until")
    redeemed_at: datetime | None = fact("兑换时间", "Redeemed at")
    timeline: list[CredentialOfferMoment] = fact("经过", "Timeline")


@strawberry.type(
    description=both(
        "刚生成的领取邀请;链接与领取码仅在此出现一次",
        "An offer just made; its links and code are told here and never again",
    )
)
class OfferedCredential:
    offer: CredentialOffer = fact("邀请", "The offer")
    link: str = fact("领取链接（浏览器钱包）", "Link for the browser wallet")
    other_link: str = fact("其他钱包使用的链接", "Link for other wallets")
    qr_text: str = fact("二维码内容", "What a QR code of it holds")
    tx_code: str | None = fact("领取码,须另行告知本人", "Transaction code, to be told by another road")
