"""Whether a credential may be believed: an SD-JWT VC with or without key binding, or a W3C credential as `vc+jwt`.

Pure: all knowledge comes as a `Trust` and a `StatusSource`; nothing is fetched, so nothing in a credential names an address
we would visit. The credential itself is looked at first and its status last (draft-ietf-oauth-status-list, section 8.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from credentials import key_binding, sd_jwt
from credentials.checked import Check, Checked, Issuer, Outcome, StatusReference
from credentials.errors import CredentialsError, JoseInvalid
from credentials.issuer_key import cut_off, issuer_key
from credentials.jose import Jws, json_object, parse, read_key, unbase64url
from credentials.jose import verify as verify_signature
from credentials.status_reading import look_at_status
from credentials.trust import StatusSource, Trust
from credentials.validity import Validity, validity_of

SD_JWT, W3C = sd_jwt.TYP, "vc+jwt"
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Binding:
    """What a key binding must say: for whom it was made and for which question (`nonce` None: for none in particular)."""

    aud: str
    nonce: str | None
    fresh: timedelta = key_binding.FRESH


def verify(
    text: str,
    *,
    trust: Trust,
    now: datetime,
    status: StatusSource | None = None,
    binding: Binding | None = None,
    status_max_age: timedelta | None = None,
    limit: int = LONGEST,
) -> Checked:
    """Every check with its outcome; raises nothing for what the text is.

    With `status` None the status is UNKNOWN ("not_looked") until `with_status`, for who must fetch the list first. With
    `binding` None a key binding that is there must still be signed by the holder over this very choice of disclosures.
    `status_max_age`: a list its issuer signed longer ago says nothing any more about who was not yet revoked then.
    """
    format_ = format_of(text, limit)
    try:
        if format_ == SD_JWT:
            checked = _sd_jwt(text, trust, now, binding, limit)
        elif format_ == W3C:
            checked = _w3c(text, trust, now, binding, limit)
        else:
            return Checked("", (Check("form", Outcome.FAILED, "format"),))
    except _Stop as stopped:
        return stopped.checked
    return with_status(checked, status, trust=trust, now=now, max_age=status_max_age)


def with_status(
    checked: Checked,
    status: StatusSource | None,
    *,
    trust: Trust,
    now: datetime,
    max_age: timedelta | None = None,
) -> Checked:
    """The same with its status looked at; of a credential that is not sound nothing more is asked."""
    if not checked.sound:
        return checked
    check, seen = look_at_status(checked, status, trust, now, max_age)
    return checked.with_check(check, status=seen)


def format_of(text: str, limit: int = LONGEST) -> str:
    """`dc+sd-jwt`, `vc+jwt` or "", by the `typ` of the first part."""
    if len(text) > limit:
        return ""
    try:
        typ = json_object(unbase64url(text.partition(".")[0])).get("typ")
    except JoseInvalid:
        return ""
    return typ if typ in (SD_JWT, W3C) else ""


class _Stop(Exception):
    """Nothing further can be said: what comes after would rest on what failed."""

    def __init__(self, checked: Checked) -> None:
        super().__init__()
        self.checked = checked


class _Course:
    """The checks of one credential as they are made."""

    def __init__(self, format_: str) -> None:
        self.format = format_
        self.checks: list[Check] = []

    def passed(self, name: str) -> None:
        self.checks.append(Check(name, Outcome.PASSED))

    def stop(self, name: str, why: str) -> _Stop:
        self.checks.append(Check(name, Outcome.FAILED, why))
        return _Stop(Checked(self.format, tuple(self.checks)))


def _sd_jwt(text: str, trust: Trust, now: datetime, binding: Binding | None, limit: int) -> Checked:
    course = _Course(SD_JWT)
    try:
        taken = sd_jwt.read(text, limit=limit)
        payload = taken.jwt.claims
    except CredentialsError as error:
        raise course.stop("form", error.why) from None
    course.passed("form")
    issuer = _signed(course, taken.jwt, payload, payload.get("iss"), trust, now)
    try:
        verified = sd_jwt.put_together(taken, payload)
    except CredentialsError as error:
        raise course.stop("disclosures", error.why) from None
    course.passed("disclosures")
    _dated(course, validity := validity_of(verified.claims), now)
    course.checks.append(_type(verified.claims, trust))
    holder = _holder(course, verified.claims)
    bound = _bound(course, taken, verified, binding, now)
    return _checked(course, verified.claims, issuer, validity, holder, verified.disclosed, bound)


def _w3c(text: str, trust: Trust, now: datetime, binding: Binding | None, limit: int) -> Checked:
    course = _Course(W3C)
    try:
        jws = parse(text, typ=W3C, limit=limit)
        claims = jws.claims
    except CredentialsError as error:
        raise course.stop("form", error.why) from None
    course.passed("form")
    named = claims.get("issuer")
    issuer = _signed(course, jws, claims, named.get("id") if isinstance(named, dict) else named, trust, now)
    course.checks.append(Check("disclosures", Outcome.SKIPPED, "none"))
    types = claims.get("type")
    if not isinstance(types, list) or "VerifiableCredential" not in types:
        raise course.stop("type", "form")
    _dated(course, validity := validity_of(claims), now)
    course.checks.append(_type(claims, trust) if "vct" in claims else Check("type", Outcome.SKIPPED, "none"))
    holder = _holder(course, claims)
    outcome = Check("key_binding", Outcome.SKIPPED, "none")
    if binding is not None:  # a bare vc+jwt proves nothing about who shows it; a `vp+jwt` around it would
        outcome = Check("key_binding", Outcome.FAILED, "missing")
    course.checks.append(outcome)
    return _checked(course, claims, issuer, validity, holder, (), None)


def _signed(course: _Course, jws: Jws, claims: Mapping[str, Any], iss: Any, trust: Trust, now: datetime) -> Issuer:
    """Whose key, that it signed, and that it was to be believed then."""
    if iss is not None and not isinstance(iss, str):
        raise course.stop("issuer_key", "iss")
    try:
        key, issuer = issuer_key(jws.header, iss, trust, now)
        cut_off(key, validity_of(claims).issued_at, trust)
    except CredentialsError as error:
        raise course.stop("issuer_key", error.why) from None
    course.passed("issuer_key")
    try:
        verify_signature(jws, key)
    except JoseInvalid as error:
        raise course.stop("signature", error.why) from None
    course.passed("signature")
    return issuer


def _dated(course: _Course, validity: Validity, now: datetime) -> None:
    why = validity.fault(now)
    course.checks.append(Check("dates", Outcome.FAILED if why else Outcome.PASSED, why))


def _type(claims: Mapping[str, Any], trust: Trust) -> Check:
    """One we do not know may be new since we learned: UNKNOWN. One whose text is another than we read is refused."""
    vct = claims.get("vct")
    if not isinstance(vct, str) or not vct:
        return Check("type", Outcome.FAILED, "vct")
    if trust.types is None:
        return Check("type", Outcome.SKIPPED, "any")
    known = trust.types.get(vct)
    if known is None:
        return Check("type", Outcome.UNKNOWN, "vct_unknown")
    if "vct#integrity" in claims and claims["vct#integrity"] != known.integrity:
        return Check("type", Outcome.FAILED, "integrity")
    return Check("type", Outcome.PASSED)


def _holder(course: _Course, claims: Mapping[str, Any]) -> Mapping[str, str] | None:
    """The key in `cnf`; a credential without one is a bearer's and says so."""
    if "cnf" not in claims:
        course.checks.append(Check("holder", Outcome.SKIPPED, "bearer"))
        return None
    cnf = claims["cnf"]
    try:
        if not isinstance(cnf, dict) or set(cnf) != {"jwk"}:
            raise JoseInvalid("cnf")
        key = read_key(cnf["jwk"])
    except JoseInvalid:
        course.checks.append(Check("holder", Outcome.FAILED, "cnf"))
        return None
    course.passed("holder")
    return key.jwk


def _bound(
    course: _Course, taken: sd_jwt.SdJwt, verified: sd_jwt.Verified, binding: Binding | None, now: datetime
) -> Mapping[str, Any] | None:
    if binding is None and taken.key_binding is None:
        course.checks.append(Check("key_binding", Outcome.SKIPPED, "none"))
        return None
    try:
        if binding is None:
            said = key_binding.opened(taken, verified)
            course.checks.append(Check("key_binding", Outcome.SKIPPED, "not_asked"))
            return said
        said = key_binding.check(taken, verified, aud=binding.aud, nonce=binding.nonce, now=now, fresh=binding.fresh)
    except CredentialsError as error:
        course.checks.append(Check("key_binding", Outcome.FAILED, error.why))
        return None
    course.passed("key_binding")
    return said


def _checked(
    course: _Course,
    claims: Mapping[str, Any],
    issuer: Issuer,
    validity: Validity,
    holder: Mapping[str, str] | None,
    disclosed: tuple[tuple[str | int, ...], ...],
    bound: Mapping[str, Any] | None,
) -> Checked:
    vct = claims.get("vct")
    return Checked(
        course.format,
        tuple(course.checks),
        claims,
        disclosed,
        issuer,
        vct if isinstance(vct, str) else None,
        validity.issued_at,
        validity.starts,
        validity.ends,
        holder,
        bound,
        _reference(claims),
    )


def _reference(claims: Mapping[str, Any]) -> StatusReference | None:
    status = claims.get("status")
    listed = status.get("status_list") if isinstance(status, dict) else None
    if not isinstance(listed, dict):
        return None
    uri, index = listed.get("uri"), listed.get("idx")
    if not isinstance(uri, str) or not isinstance(index, int) or isinstance(index, bool) or index < 0:
        return None
    return StatusReference(uri, index)
