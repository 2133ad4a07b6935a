"""The rules an answer names where it must not say what really decided: one public face for many inner reasons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicRule:
    """`code` is the refusal's code, `id` the rule the answer and the person's history name."""

    code: str
    id: str
    zh: str
    en: str
    basis: str


NO_GROUND = PublicRule(
    "NO_GROUND",
    "no-ground",
    "没有查询此人的依据",
    "There is no ground to ask about this person",
    "社区矫正法第五条；个人信息保护法第十三条 · Community Corrections Law Art. 5; PIPL Art. 13",
)
NO_CONSENT = PublicRule(
    "NO_CONSENT",
    "no-consent",
    "没有此人对该事项的有效同意",
    "There is no consent of this person in force for what was asked",
    "个人信息保护法第十三条、第二十九条 · PIPL Art. 13, 29",
)
DEFAULT_DENY = "default-deny"
# Inner reasons that are no policy: where nothing permitted, there is no policy to name.
NO_CASE_LINK = "no-case-link"
NO_LIVE_CONSENT = "no-live-consent"
POLICY_ERROR = "policy-error"
