"""What an asker may claim: the purpose, within the token's details, within the client's registration, within the register."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.policy.decision import Purpose
from gateway.policy.purposes import PurposeRule


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether the token covers the purpose claimed, and which leaf fields it is limited to (None: no limit)."""

    covered: bool
    datatypes: frozenset[str] | None = None


def claim_of(caller: Caller, purpose: Purpose, now: datetime) -> Claim:
    """A token without details covers its holder's purposes, unless the holder is a partner: those need details."""
    partner = caller.kind is CallerKind.PARTNER
    if not caller.details:
        return Claim(not partner)
    fitting = [detail for detail in caller.details if _fits(detail, caller, purpose, now)]
    if not fitting:
        return Claim(False)
    if not partner and any(detail.datatypes is None for detail in fitting):
        return Claim(True)
    return Claim(True, frozenset().union(*(detail.datatypes or frozenset() for detail in fitting)))


def _fits(detail: SharingDetail, caller: Caller, purpose: Purpose, now: datetime) -> bool:
    if detail.purpose != purpose.code or (detail.until is not None and detail.until <= now):
        return False
    if caller.kind is CallerKind.PARTNER:  # the partner's own file mark
        return None in (detail.reference, purpose.reference) or detail.reference == purpose.reference
    return detail.reference is None or detail.reference == purpose.case_no


def refusal(caller: Caller, rule: PurposeRule | None, claim: Claim) -> str | None:
    """The code of a refusal of the whole operation, whatever case it names; None where it may go on."""
    if rule is None:
        return "PURPOSE_UNKNOWN"
    if rule.code not in caller.purposes or caller.org_kind not in rule.org_kinds or not claim.covered:
        return "PURPOSE_NOT_YOURS"
    return None


def says_something(case_no: str | None) -> bool:
    """A case number has letters or digits; blanks and invisible characters are none."""
    return any(character.isalnum() for character in case_no or "")
