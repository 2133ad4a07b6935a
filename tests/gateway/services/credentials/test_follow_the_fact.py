"""Every state the facts can be in, and what becomes of a credential in each of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.type_files import load_types
from gateway.bootstrap.credential_life import following
from gateway.errors import GatewayError
from gateway.services.credentials.facts_digest import FactsDigest, facts_text
from gateway.services.credentials.follow_the_fact import FollowTheFact, Looked, Pace, between_looks
from gateway.services.credentials.ports import (
    Acting,
    CredentialState,
    FactsState,
    Fetched,
    Issued,
    IssuedCredentials,
    Place,
)

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TYPES = load_types()
VALID, SUSPENDED, REVOKED = CredentialState
CLAIMS = {"livesInDistrict": "440604"}
DIGEST = FactsDigest(b"d" * 32)
WHO = "a" * 32


class StoreAway(GatewayError):
    code = "STORE_UNAVAILABLE"


def batch(type_id: str = "residence", **other: object) -> Issued:
    one = Issued(
        "c1", "b1", WHO, type_id, type_id, Acting("SFJ", "CORRECTION_AGENCY", "44"), "g", None, "kid", Place("l", 1),
        "j", NOW, NOW + timedelta(days=90), b"", DIGEST.of(WHO, type_id, CLAIMS),
    )  # fmt: skip
    return replace(one, **other)  # type: ignore[arg-type]  # a test names fields of Issued only


@dataclass
class House:
    """Every port of FollowTheFact."""

    says: Fetched | Exception = field(default_factory=lambda: Fetched(FactsState.READY, CLAIMS))
    held: dict[str, Issued] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    next_at: dict[str, datetime] = field(default_factory=dict)
    renewed: list[str] = field(default_factory=list)
    sealed: bool = False
    disputed: bool = False
    asked: int = 0
    running: int = 0
    most: int = 0
    order: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return NOW

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def batch(self, batch_id: str) -> Sequence[Issued]:
        return [self.held[batch_id]] if batch_id in self.held else []

    async def checked(self, batch_id: str, next_check_at: datetime) -> None:
        self.next_at[batch_id] = next_check_at

    async def set_state(
        self, batch_id: str, state: CredentialState, reason: str, *, actor_org: str = "", actor_user: str = "yimen"
    ) -> bool:
        self.order.append(state.value)
        before = self.held[batch_id]
        if before.state is state or before.state is REVOKED:
            return False
        self.held[batch_id] = replace(before, state=state, reason=reason)
        return True

    async def facts(self, subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        assert (purpose, reference in self.held) == ("CREDENTIAL_RECHECK", True)
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def renew(self, batch: Issued) -> None:
        self.order.append("RENEW")
        self.renewed.append(batch.batch_id)

    async def is_sealed(self, subject_id: str) -> bool:
        return self.sealed

    async def is_disputed(self, subject_id: str, facts: Mapping[str, Collection[str]]) -> bool:
        assert subject_id == WHO
        return self.disputed and "admin" in facts.get("residence", ())

    def follow(self, stays: frozenset[str] = frozenset()) -> FollowTheFact:
        pace = Pace(timedelta(days=1))
        held = cast(IssuedCredentials, self)  # the part of the port it uses
        return FollowTheFact(
            held, self.facts, DIGEST, TYPES, self.renew, self, pace, self.is_sealed, self.is_disputed, stays
        )

    async def look(self, one: Issued, stays: frozenset[str] = frozenset()) -> Looked:
        self.held[one.batch_id] = one
        return await self.follow(stays).look(one.batch_id)


OTHER = {"livesInDistrict": "440605"}


@pytest.mark.parametrize(
    ("said", "before", "looked", "after"),
    [
        (Fetched(FactsState.READY, CLAIMS), (VALID, None), Looked.SAME, (VALID, None)),
        (Fetched(FactsState.READY, OTHER), (VALID, None), Looked.RENEWED, (REVOKED, "FACT_CHANGED")),
        (Fetched(FactsState.NOT_MET), (VALID, None), Looked.REVOKED, (REVOKED, "FACT_CHANGED")),
        (Fetched(FactsState.NOT_MET), (SUSPENDED, "DOUBTED"), Looked.REVOKED, (REVOKED, "FACT_CHANGED")),
        (Fetched(FactsState.REFUSED), (VALID, None), Looked.REVOKED, (REVOKED, "NO_GROUND")),
        (Fetched(FactsState.UNAVAILABLE), (VALID, None), Looked.LATER, (VALID, None)),
        (Fetched(FactsState.UNAVAILABLE), (SUSPENDED, "DOUBTED"), Looked.LATER, (SUSPENDED, "DOUBTED")),
        (Fetched(FactsState.DOUBTED, reason="lives-here"), (VALID, None), Looked.SUSPENDED, (SUSPENDED, "DOUBTED")),
        (Fetched(FactsState.DOUBTED, reason="disputed"), (VALID, None), Looked.SUSPENDED, (SUSPENDED, "DISPUTED")),
        (Fetched(FactsState.UNAVAILABLE, reason="disputed"), (VALID, None), Looked.SUSPENDED, (SUSPENDED, "DISPUTED")),
        (Fetched(FactsState.DOUBTED), (SUSPENDED, "DISPUTED"), Looked.SAME, (SUSPENDED, "DISPUTED")),
        (Fetched(FactsState.READY, CLAIMS), (SUSPENDED, "DOUBTED"), Looked.REINSTATED, (VALID, "CLEARED")),
        (Fetched(FactsState.READY, CLAIMS), (SUSPENDED, "DISPUTED"), Looked.REINSTATED, (VALID, "CLEARED")),
        (Fetched(FactsState.READY, CLAIMS), (SUSPENDED, "BY_OFFICER"), Looked.SAME, (SUSPENDED, "BY_OFFICER")),
    ],
)
async def test_each_answer_has_its_consequence(
    said: Fetched, before: tuple[CredentialState, str | None], looked: Looked, after: tuple[CredentialState, str | None]
) -> None:
    house = House(said, disputed=said.reason == "disputed")
    assert await house.look(batch(state=before[0], reason=before[1])) is looked
    assert (house.held["b1"].state, house.held["b1"].reason) == after
    assert (house.renewed == ["b1"]) == (looked is Looked.RENEWED)


async def test_what_has_ended_is_not_asked_about() -> None:
    house = House()
    assert await house.look(batch(state=REVOKED)) is Looked.GONE
    assert await house.follow().look("nobody's") is Looked.GONE
    assert house.asked == 0


async def test_of_an_erased_person_nothing_is_asked_and_nothing_stands() -> None:
    house = House()
    assert await house.look(batch(subject_id="")) is Looked.REVOKED
    assert (house.asked, house.held["b1"].reason) == (0, "ERASED")


async def test_the_fresh_one_is_put_down_before_the_old_one_ends() -> None:
    """A crash between the two costs a job that finds nothing to do, never the person their new one."""
    house = House(Fetched(FactsState.READY, OTHER))
    await house.look(batch())
    assert house.order == ["RENEW", "REVOKED"]


async def test_a_type_whose_file_is_gone_says_nothing_about_the_person() -> None:
    house = House()
    assert await house.look(batch("pension")) is Looked.LATER
    assert (house.asked, house.held["b1"].state) == (0, VALID)


@pytest.mark.parametrize("error", [StoreAway(), GatewayError("anything")])
async def test_what_fails_on_our_side_is_no_change_either(error: GatewayError) -> None:
    house = House(error)
    assert await house.look(batch()) is Looked.LATER
    assert (house.held["b1"].state, house.next_at) == (VALID, {})


async def test_a_discharge_certificate_outlives_the_case_but_no_seal() -> None:
    stays = frozenset({"discharge"})
    house = House(Fetched(FactsState.REFUSED))
    assert await house.look(batch("discharge"), stays) is Looked.SAME
    assert house.held["b1"].state is VALID
    assert await house.look(batch("residence"), stays) is Looked.REVOKED
    house.sealed = True
    assert await house.look(batch("discharge"), stays) is Looked.REVOKED
    changed = House(Fetched(FactsState.NOT_MET))
    assert await changed.look(batch("discharge"), stays) is Looked.REVOKED


async def test_a_source_is_asked_again_when_it_says_it_will_be_there() -> None:
    opens = NOW + timedelta(hours=8)
    house = House(Fetched(FactsState.UNAVAILABLE, retry_at=opens))
    await house.look(batch())
    assert opens <= house.next_at["b1"] <= opens + timedelta(minutes=30)
    silent = House(Fetched(FactsState.UNAVAILABLE))
    await silent.look(batch())
    assert timedelta(minutes=5) <= silent.next_at["b1"] - NOW <= timedelta(minutes=10)
    never = House(Fetched(FactsState.UNAVAILABLE, retry_at=NOW + timedelta(days=400)))
    await never.look(batch())
    assert never.next_at["b1"] - NOW <= timedelta(days=1), "whoever is away for good is still asked once a day"


async def test_what_is_disputed_while_a_source_is_away_is_looked_at_again_when_that_is_back() -> None:
    opens = NOW + timedelta(hours=8)
    house = House(Fetched(FactsState.UNAVAILABLE, retry_at=opens), disputed=True)
    assert await house.look(batch()) is Looked.SUSPENDED
    assert opens <= house.next_at["b1"] <= opens + timedelta(minutes=30)


async def test_what_was_issued_together_is_not_due_together() -> None:
    house = House()
    for n in range(50):
        await house.look(batch(batch_id=f"b{n}"))
    times = sorted(house.next_at.values())
    assert len(set(times)) > 40
    assert timedelta(hours=19) < times[0] - NOW < times[-1] - NOW <= timedelta(days=1)


@given(st.integers(1, 40 * 86_400), st.sampled_from(sorted(TYPES)))
def test_the_next_look_is_never_later_than_must_be(seconds: int, type_id: str) -> None:
    longest, known = timedelta(seconds=seconds), TYPES[type_id]
    must = min(longest, known.recheck_every)
    assert must * 0.799 <= between_looks(known, longest) <= must


async def test_a_sweep_takes_everything_and_a_source_is_not_run_over() -> None:
    house = House()
    for n in range(100):
        one = batch(batch_id=f"b{n}")
        house.held[one.batch_id] = one
        house.waiting.append(one.batch_id)
    follow = house.follow()
    assert await follow.sweep() == {Looked.SAME: 100}
    assert (house.asked, house.most) == (100, 4)
    assert follow.looked == {Looked.SAME: 100}


async def test_a_sweep_that_is_stopped_leaves_the_rest_to_others() -> None:
    house = House()
    for n in range(100):
        one = batch(batch_id=f"b{n}")
        house.held[one.batch_id] = one
        house.waiting.append(one.batch_id)
    assert sum((await house.follow().sweep(lambda: house.asked == 0)).values()) == 16
    assert len(house.waiting) == 84


def test_a_digest_is_of_the_claims_of_one_person_and_type() -> None:
    of = DIGEST.of(WHO, "residence", {"a": 1, "b": True})
    assert of == DIGEST.of(WHO, "residence", {"b": True, "a": 1})
    assert len({of, DIGEST.of("b" * 32, "residence", {"a": 1, "b": True}), DIGEST.of(WHO, "business", {"a": 1, "b": True}),
                DIGEST.of(WHO, "residence", {"a": 1, "b": False}), FactsDigest(b"e" * 32).of(WHO, "residence", {"a": 1, "b": True})}) == 5  # fmt: skip
    assert b"2026" not in facts_text({"a": 1}, ())


async def test_a_record_that_breaks_us_stops_nobody_elses_revocation() -> None:
    house = House(says=RuntimeError("a record nobody thought of"))
    house.held = {"b1": batch(), "b2": batch(batch_id="b2")}
    house.waiting = ["b1", "b2"]
    follow = house.follow()
    assert await follow.sweep() == {Looked.LATER: 2}
    house.says, house.waiting = Fetched(FactsState.NOT_MET), ["b2"]
    assert await follow.sweep() == {Looked.REVOKED: 1}
    assert house.held["b1"].state is VALID


async def test_following_goes_on_after_a_fault_of_ours() -> None:
    swept, going_on = 0, asyncio.Event()

    class Faulty:
        async def sweep(self, going: object) -> Mapping[Looked, int]:
            nonlocal swept
            swept += 1
            if swept == 1:
                raise RuntimeError
            going_on.set()
            return {}

    async with following(cast(FollowTheFact, Faulty()), 0.01), asyncio.timeout(5):
        await going_on.wait()
