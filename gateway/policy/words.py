"""Codes in words, for explanations: kinds of organisation, values of attributes, effects, refusals and inner reasons."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.policy.decision import Effect
from gateway.policy.public_rules import (
    DEFAULT_DENY,
    NO_CASE_LINK,
    NO_CONSENT,
    NO_GROUND,
    NO_LIVE_CONSENT,
    POLICY_ERROR,
)

Words = Mapping[str, tuple[str, str]]

KINDS: Words = {
    "CORRECTION_AGENCY": ("社区矫正机构", "corrections agency"),
    "JUSTICE_OFFICE": ("司法所", "justice office"),
    "COURT": ("人民法院", "court"),
    "PROCURATORATE": ("人民检察院", "procuratorate"),
    "POLICE": ("公安机关", "police body"),
    "PRISON": ("监狱", "prison"),
    "BANK": ("银行", "bank"),
    "EMPLOYER": ("用人单位", "employer"),
    "INSURER": ("保险公司", "insurer"),
    "SUBJECT": ("本人", "person concerned"),
}
VALUES: Mapping[str, Words] = {
    "caller": {
        "OFFICER": ("工作人员", "an officer"),
        "SYSTEM": ("业务系统", "a system"),
        "PARTNER": ("合作单位系统", "a partner's system"),
    },
    "caseLink": {
        "NONE": ("与此人没有在办案件的联系", "no live case links them"),
        "ORGANISATION": ("本单位办理此人的在办案件", "the organisation handles a live case of the person"),
        "ASSIGNED": ("提问者本人承办此人的案件", "the case is assigned to this very officer"),
    },
    "relationship": {
        "NONE": ("没有私人关系", "no private relationship"),
        "SELF": ("被查询人就是提问者本人", "the person is the officer"),
        "RELATIVE": ("被查询人是提问者的近亲属", "the person is a relative of the officer"),
        "FORMER_SPOUSE": ("被查询人是提问者的前配偶", "the person is a former spouse of the officer"),
    },
    "seal": {
        "NONE": ("没有封存", "not sealed"),
        "SEALED_JUVENILE": ("未成年人犯罪记录已封存", "a sealed juvenile record"),
        "SEALED_PUBLIC_ORDER": ("治安管理处罚记录已封存", "a sealed public-order record"),
    },
    "claimedCase": {
        "True": ("所称案号是本单位办理的此人案件", "the case claimed is this person's and the organisation's"),
        "False": ("所称案号不是本单位办理的此人案件", "the case claimed is not one of this person that the organisation handles"),
    },
    "monitoringOrder": {
        "True": ("电子定位决定有效", "a monitoring order is in force"),
        "False": ("没有有效的电子定位决定", "no monitoring order is in force"),
    },
    "outOfContact": {
        "True": ("脱管或者正在违法犯罪", "out of contact, or an offence in progress"),
        "False": ("没有脱管", "in contact"),
    },
    "revocationPending": {
        "True": ("正在审理撤销或者收监", "revocation or recall is pending"),
        "False": ("没有在审理撤销或者收监", "no revocation or recall is pending"),
    },
    "unsealed": {
        "True": ("依法对提问者解封", "lawfully unsealed for the asker"),
        "False": ("没有对提问者解封", "not unsealed for the asker"),
    },
    "consent": {"True": ("本人同意有效", "consent is in force"), "False": ("没有有效的同意", "no consent is in force")},
    "breakGlass": {
        "True": ("有紧急查询许可", "an emergency grant is in force"),
        "False": ("没有紧急查询许可", "no emergency grant"),
    },
}  # fmt: skip
LEVELS: Words = {
    "1": ("一种因素登录（1 级）", "logged in with one factor (level 1)"),
    "2": ("两种因素登录（2 级）", "logged in with two factors (level 2)"),
    "3": ("抗钓鱼方式登录（3 级）", "logged in so that nobody can phish it (level 3)"),
}
OWN_KEY = ("凭自有密钥（2 级）", "by a key of its own (level 2)")
SHARE_CLASSES: Words = {
    "U": ("无条件共享", "shared unconditionally"),
    "C": ("有条件共享", "shared on conditions"),
    "N": ("不予共享", "not shared"),
}
SENSITIVITY: Words = {
    "PUBLIC": ("公开信息", "public"),
    "GENERAL": ("一般信息", "general"),
    "PERSONAL": ("个人信息", "personal"),
    "SENSITIVE": ("敏感个人信息", "sensitive"),
    "LOCATION": ("行踪轨迹信息", "location"),
    "MEDICAL": ("医疗健康信息", "medical"),
    "BIOMETRIC": ("生物识别信息", "biometric"),
}
EFFECTS: Mapping[Effect, tuple[str, str]] = {
    Effect.ALLOW: ("提供", "given"),
    Effect.MASK: ("遮蔽后提供", "given with its identifying middle hidden"),
    Effect.WITHHOLD: ("不提供", "not given"),
    Effect.AS_IF_ABSENT: ("视同没有该记录", "as if there were no record"),
}
REFUSALS: Words = {
    "PURPOSE_UNKNOWN": ("用途登记表中没有这一用途。", "The register of purposes does not know this purpose."),
    "PURPOSE_NOT_YOURS": (
        "这一用途不属于该类单位，或者不在其令牌、登记的范围之内。",
        "This purpose is not for this kind of organisation, or its token or registration does not cover it.",
    ),
    "CASE_REQUIRED": ("这一用途须写明案号。", "This purpose needs a case number."),
    NO_GROUND.code: (f"{NO_GROUND.zh}。", f"{NO_GROUND.en}."),
    NO_CONSENT.code: (f"{NO_CONSENT.zh}。", f"{NO_CONSENT.en}."),
}
INNER: Words = {
    DEFAULT_DENY: ("没有任何规则准许", "no rule permits it"),
    NO_CASE_LINK: (
        "与此人没有在办案件的联系，也没有其他依据",
        "no live case links the asker to the person, and nothing else does",
    ),
    NO_LIVE_CONSENT: ("本人对所问事项的有效同意不存在", "no consent of the person to what was asked is in force"),
    POLICY_ERROR: ("规则求值出错，按拒绝处理", "a rule could not be evaluated, which is a refusal"),
}
