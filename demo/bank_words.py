"""What a customer reads where no account was opened: what happened and what to do next, never a code alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STATES = {
    "REFUSED": "您没有出示，这没有关系：也可以带纸质证明到柜台办理。 You did not show it, and that is all right: a paper at the counter does as well.",
    "EXPIRED": "时间到了，什么也没有收到。请再来一次。 Time is up and nothing came. Please try again.",
}
_REASONS = {
    "revoked": "这份证明已失效：情况有变，或者您已领了新的。请在“我的证照”里再领一次，然后再来。 This document is no longer valid: something has changed, or you have a newer one. Get it again in your wallet, then come back.",
    "suspended": "这份证明正在核查，暂时不能使用。请过一段时间再来。 This document is being looked into; please come back later.",
    "expired": "这份证明已过有效期。请在“我的证照”里再领一次。 This document has expired. Get it again in your wallet.",
    "not_yet": "这份证明还没有生效，请晚些再来。 This document is not valid yet; please come back later.",
    "status_unknown": "现在查不到这份证明是否仍然有效，所以不能办理。请过几分钟再来一次。 Whether it is still valid cannot be found out now, so we cannot go on. Please try again in a few minutes.",
    "holders": "出示的证明不是同一个人的。 What was shown does not belong to one person.",
}
_OTHERWISE = "出示的内容没有通过核验，没有开户。请再来一次；还不行，请到柜台办理。 What was shown did not check out, so no account was opened. Try again; if it stays so, come to the counter."

BUSY = "我们暂时连不上核验服务，请过几分钟再来一次。您什么也没有给出。 We cannot reach the verification service right now; please try again in a few minutes. You have given nothing."
LOST = "没有取到结果。请在您开始办理的那个浏览器里再来一次。 The result could not be fetched. Please begin again in the browser you started with."


def why_not(result: Mapping[str, Any]) -> str:
    """In words, of a result that is not ANSWERED. The state of a refusal says more than the wallet's code for it."""
    said = _STATES.get(str(result.get("state"))) or _REASONS.get(str(result.get("reason")))
    return said or f"{_OTHERWISE} （代码 code: {result.get('reason') or result.get('state')}）"
