"""How an asker stands under a purpose: all that is the same for every question asked so, until the clock says otherwise.

The asker's kind, roles, posts, place, level, purposes and details are what counts; who it is does not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from gateway.caller import Caller, CallerKind
from gateway.clock import Clock
from gateway.policy.attributes import ASKER_VALUES, TIME_VALUES
from gateway.policy.decision import Purpose
from gateway.policy.entitlement import claim_of, refusal, says_something
from gateway.policy.partition import Partition, Partitions
from gateway.policy.purposes import PurposeRegister, PurposeRule

_MOST = 4096
# Every part of a caller that a decision may depend on; enum members by their text, for that is quick to hash.
_of_caller = attrgetter(
    "org_kind", "kind._value_", "roles", "posts", "jurisdiction", "level", "purposes", "details"
)  # fmt: skip


class Standing:
    """`denied` is a refusal's code; otherwise `rule` and what follows are there."""

    __slots__ = (
        "_asker", "_since", "_until", "case_required", "datatypes", "denied", "emergency", "kind", "partition", "partner",
        "rule",
    )  # fmt: skip

    rule: PurposeRule
    partition: Partition
    emergency: Partition  # the same with the rules for emergencies

    def __init__(self, caller: Caller, since: datetime | None, until: datetime | None) -> None:
        """It holds from `since` to `until`; None for ever."""
        self.kind, self.partner = caller.org_kind, caller.kind is CallerKind.PARTNER
        self.denied: str | None = None
        self.case_required = False
        self.datatypes: frozenset[str] | None = None  # what the token is limited to
        self._asker: Mapping[str, Any] = {}
        self._since, self._until = since, until

    def entitled(
        self, caller: Caller, rule: PurposeRule, partitions: Partitions, datatypes: frozenset[str] | None
    ) -> None:
        self.rule, self.datatypes, self.case_required = rule, datatypes, rule.case_required
        self.partition = partitions.of(caller.org_kind, rule.code)
        self.emergency = partitions.of(caller.org_kind, rule.code, emergency=True)
        self._asker = {name: value(caller) for name, value in ASKER_VALUES.items()}

    @property
    def time_attributes(self) -> tuple[str, ...]:
        """Only where a rule looks at the clock does the hour make a difference."""
        return self.emergency.time_attributes

    def asker(self, times: tuple[int, ...]) -> Mapping[str, Any]:
        """What rules may look at; `times` are the values of `time_attributes`."""
        return {**self._asker, **dict(zip(self.time_attributes, times, strict=True))}

    def refusal(self, purpose: Purpose) -> str | None:
        if self.denied is None and self.case_required and not says_something(purpose.case_no):
            return "CASE_REQUIRED"
        return self.denied

    def holds(self, now: datetime) -> bool:
        return (self._since is None or self._since <= now) and (self._until is None or now < self._until)


class Standings:
    """Those met so far, a bounded number of them."""

    def __init__(self, register: PurposeRegister, partitions: Partitions, clock: Clock) -> None:
        self._register, self._partitions, self._clock = register, partitions, clock
        self._known: OrderedDict[tuple[Any, ...], Standing] = OrderedDict()

    def of(self, caller: Caller, purpose: Purpose) -> Standing:
        # Details speak of cases and references and may end; without them only the purpose counts.
        key: tuple[Any, ...] = (_of_caller(caller), purpose.code)
        if caller.details:
            key = (*key, purpose.case_no, purpose.reference)
        known = self._known.get(key)
        if known is not None and (not caller.details or known.holds(self._clock.now())):
            return known
        made = self._make(caller, purpose)
        if purpose.code in self._register.rules:  # whatever else somebody may claim to be for is not worth keeping
            self._known[key] = made
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return made

    def times(self, standing: Standing) -> tuple[int, ...]:
        now = self._clock.now()
        return tuple(TIME_VALUES[name](now) for name in standing.time_attributes)

    def forget(self) -> None:
        self._known.clear()

    def _make(self, caller: Caller, purpose: Purpose) -> Standing:
        now = self._clock.now()
        ends = [one.until for one in caller.details if one.until is not None and one.until > now]
        made = Standing(caller, now if caller.details else None, min(ends, default=None))
        rule = self._register.get(purpose.code)
        claim = claim_of(caller, purpose, now)
        # The case number is each question's own.
        made.denied = refusal(caller, rule, claim)
        if made.denied is None and rule is not None:
            made.entitled(caller, rule, self._partitions, claim.datatypes)
        return made
