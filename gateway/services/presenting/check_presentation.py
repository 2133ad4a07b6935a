"""One presentation, checked in full: signature, chain, dates, type, status as it is now, and that its holder showed it to us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from credentials.checked import Check, Checked, Outcome, Verdict
from credentials.errors import ChainInvalid, CredentialsError
from credentials.jose import json_object, unbase64url
from credentials.sd_jwt import TYP as SD_JWT
from credentials.trust import HeldStatus, Statuses, Trust
from credentials.verifying import Binding, verify, with_status
from credentials.x5c import authority_keys
from gateway.clock import Clock
from gateway.services.presenting.ports import Believed, CheckFailed, ToCheck

STATUS_AGE = timedelta(hours=24)
"""A list its issuer signed longer ago tells nothing about today."""
_WHY = {
    "form": "format", "issuer_key": "chain", "signature": "signature", "disclosures": "disclosures", "type": "type",
    "holder": "key_binding", "key_binding": "key_binding",
}  # fmt: skip


class StatusTokens(Protocol):
    async def token(self, uri: str) -> HeldStatus | None:
        """The list at this address as it is now; None where nothing we may ask has it. Never an address of anyone's choice."""
        ...


class CheckPresented:
    """Implements `CheckPresentation`. `trust` is asked each time: keys are rotated, cut off, and types added while we run.
    `own`: thumbprints of our own issuer keys."""

    def __init__(
        self,
        trust: Callable[[], Awaitable[Trust]],
        own: Callable[[], Awaitable[frozenset[str]]],
        statuses: StatusTokens,
        clock: Clock,
    ) -> None:
        self._trust, self._own, self._statuses, self._clock = trust, own, statuses, clock

    async def __call__(self, text: str, against: ToCheck) -> Believed:
        """See the port. The status is asked for last, and only for what is sound."""
        now, trust = self._clock.now(), await self._trust()
        binding = Binding(against.aud, against.nonce) if against.bound else None
        checked = verify(text, trust=trust, now=now, binding=binding)
        if checked.format != against.format:
            raise CheckFailed("format")
        if not checked.sound:
            raise CheckFailed(_reason(checked))
        reference, held = checked.status_reference, None
        if reference is not None:
            held = await self._statuses.token(reference.uri)
        known = Statuses({} if reference is None or held is None else {reference.uri: held})
        checked = with_status(checked, known, trust=trust, now=self._clock.now(), max_age=STATUS_AGE)
        if checked.verdict is not Verdict.GOOD or checked.issuer is None:
            raise CheckFailed(_reason(checked))
        issued_here = checked.issuer.thumbprint in await self._own()
        if issued_here and checked.status is None:
            raise CheckFailed("status_unknown")  # whatever we issue has one
        return Believed(
            checked.format,
            _types(checked),
            checked.claims,
            checked.issuer.name or checked.issuer.identifier or "",
            None if reference is None else (reference.uri, reference.index),
            None if checked.status is None else checked.status.as_of,
            issued_here,
            _authorities(text),
            checked.binding,
        )


def _types(checked: Checked) -> frozenset[str]:
    found = {checked.vct} if checked.vct else set()
    if checked.format == SD_JWT:
        also = checked.claims.get("aka_vcts", [])
        found |= {one for one in also if isinstance(one, str)} if isinstance(also, list) else set()
    else:
        listed = checked.claims.get("type", [])
        found |= {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
    return frozenset(found)


def _authorities(text: str) -> frozenset[str]:
    """Of the chain that was believed already."""
    try:
        x5c = json_object(unbase64url(text.partition(".")[0])).get("x5c")
        return frozenset(authority_keys(x5c)) if isinstance(x5c, list) else frozenset()
    except (ChainInvalid, CredentialsError):
        return frozenset()


def _reason(checked: Checked) -> str:
    """The first check that did not hold, as a code for whoever asked."""
    first = next((one for one in checked.checks if one.outcome is Outcome.FAILED), None)
    first = first or next((one for one in checked.checks if one.outcome is Outcome.UNKNOWN), None)
    return "format" if first is None else _code(first)


def _code(check: Check) -> str:
    if check.name == "dates":
        return "not_yet" if check.why in ("nbf", "iat", "validFrom", "not_yet") else "expired"
    if check.name == "status":
        return check.why if check.why in ("revoked", "suspended") else "status_unknown"
    return _WHY.get(check.name, "format")
