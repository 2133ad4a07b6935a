"""What a visitor changes in a department's records while it runs: the person left, or lives elsewhere. Kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from demo.facts import ResidenceFact


@dataclass(frozen=True, slots=True)
class Edit:
    """`left_on`: the day the person left. `address`: where they live now, within the same division."""

    left_on: date | None = None
    address: str | None = None

    @classmethod
    def read(cls, said: Mapping[str, object]) -> tuple[str, Edit]:
        """{"id_no", "left_on": "2026-11-20" or null, "address"}. Raises ValueError for anything else."""
        if not {"id_no"} <= said.keys() <= {"id_no", "left_on", "address"} or not isinstance(said["id_no"], str):
            raise ValueError("an edit is id_no with left_on (a day, or null) or address")
        left, address = said.get("left_on"), said.get("address")
        if not isinstance(left, str | None) or not isinstance(address, str | None):
            raise ValueError("left_on is a day like 2026-11-20, address a text")
        return said["id_no"], cls(date.fromisoformat(left) if left else None, address)

    def of(self, fact: ResidenceFact) -> ResidenceFact:
        """The registration as it stands now; one that had ended before stays as it was."""
        if fact.left_on is not None:
            return fact
        return ResidenceFact(
            reg_no=fact.reg_no,
            admin=fact.admin,
            address=self.address or fact.address,
            residence_type=fact.residence_type,
            registered_on=fact.registered_on,
            left_on=self.left_on,
            permit_no=fact.permit_no,
            permit_valid_to=fact.permit_valid_to,
            landlord=fact.landlord,
            by_lgb=fact.by_lgb,
        )
