"""What a held status list says about one credential, and how old that knowledge is (draft-ietf-oauth-status-list, 8.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from credentials.checked import Check, Checked, Issuer, Outcome, StatusReference, StatusSeen
from credentials.errors import CredentialsError, StatusInvalid
from credentials.issuer_key import cut_off, status_key
from credentials.jose import parse
from credentials.status_list import INVALID, LONGEST_TOKEN, SUSPENDED, TYP, VALID, read_token
from credentials.trust import HeldStatus, StatusSource, Trust

_NAME = "status"
_FAULTS = {INVALID: "revoked", SUSPENDED: "suspended"}


def look_at_status(
    checked: Checked, source: StatusSource | None, trust: Trust, now: datetime, max_age: timedelta | None
) -> tuple[Check, StatusSeen | None]:
    """Of a credential that is sound. An old list still revokes (that is final); it cannot say that nothing happened since."""
    reference = checked.status_reference
    if "status" not in checked.claims and "credentialStatus" not in checked.claims:
        return Check(_NAME, Outcome.SKIPPED, "none"), None
    if reference is None:
        return Check(_NAME, Outcome.UNKNOWN, "mechanism"), None
    if source is None:
        return Check(_NAME, Outcome.UNKNOWN, "not_looked"), None
    held = source.held(reference.uri)
    if held is None or checked.issuer is None:
        return Check(_NAME, Outcome.UNKNOWN, "no_list"), None
    try:
        seen = _seen(held, reference, checked.issuer, trust, now, max_age)
    except CredentialsError as error:
        # Nothing can be said by this list; the credential is no better for it (section 8.3: reject).
        return Check(_NAME, Outcome.FAILED if error.why == "index" else Outcome.UNKNOWN, error.why), None
    return _judged(seen), seen


def _judged(seen: StatusSeen) -> Check:
    if seen.value == INVALID:
        return Check(_NAME, Outcome.FAILED, "revoked")
    if seen.stale:
        return Check(_NAME, Outcome.UNKNOWN, "stale")
    if seen.value == VALID:
        return Check(_NAME, Outcome.PASSED)
    return Check(_NAME, Outcome.FAILED, _FAULTS.get(seen.value, "other"))


def _seen(
    held: HeldStatus, reference: StatusReference, issuer: Issuer, trust: Trust, now: datetime, max_age: timedelta | None
) -> StatusSeen:
    header = parse(held.token, typ=TYP, limit=LONGEST_TOKEN).header
    key = status_key(header, reference.uri, issuer, trust, now)
    listed = read_token(held.token, key, reference.uri, now=now, past=True)
    try:
        as_of = datetime.fromtimestamp(listed.issued_at, UTC)
        ends = None if listed.expires_at is None else datetime.fromtimestamp(listed.expires_at, UTC)
    except (ValueError, OverflowError, OSError):  # a year no calendar has
        raise StatusInvalid("form") from None
    cut_off(key, as_of, trust)
    stale = (ends is not None and ends <= now) or (max_age is not None and now - as_of > max_age)
    return StatusSeen(listed.at(reference.index), as_of, held.fetched_at, ends, listed.ttl_s, stale)
