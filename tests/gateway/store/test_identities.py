"""Identities, imported and read back, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from gateway.services.identity_plan import Plan
from gateway.services.identity_rows import from_files, from_json
from gateway.services.identity_scope import Reach
from gateway.services.import_identities import ImportIdentities
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.store.tables.identities import device, officer
from tests.gateway.services.identity_examples import OFFICERS, ORGANISATIONS, POSTS, Revocations, district
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio


class Import:
    """The service over a real store."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.revoker = Revocations()
        self._do = ImportIdentities(store.identity_changes, store.subjects, self.revoker, clock)

    async def __call__(self, files: dict[str, bytes], **options: Any) -> Plan:
        return await self._do(from_files(files), actor_org="OPERATOR", actor_user="operator", **options)


@pytest.fixture
def import_(store: Store, clock: HandClock) -> Import:
    return Import(store, clock)


async def changes_of(store: Store) -> list[Any]:
    """What was changed; that somebody looked is on record besides."""
    query = sa.select(change_event).where(change_event.c.kind != "IDENTITIES_READ").order_by(change_event.c.id)
    async with store.database.read() as connection:
        return list((await connection.execute(query)).all())


async def test_what_is_imported_is_what_is_read(store: Store, import_: Import) -> None:
    plan = await import_(district())
    assert plan.faults == ()
    found = await store.identities.officer_by_login(" cc0001 ")
    assert found is not None
    assert (found.org_id, found.org_kind, found.jurisdiction) == ("CC-JUSTICE", "CORRECTION_AGENCY", "440604")
    assert (found.posts, found.roles) == ({"CASE_OFFICER"}, {"JUSTICE_OFFICER"})
    assert found.purposes == {"CC_RECEPTION", "CC_PLAN"}
    assert found.name == "周凯"
    assert "周凯" not in repr(found)
    assert found.subject_id == (await store.subjects.intern(["440604198604040051"]))[0]
    assert await store.identities.officer(found.user_id) == found
    assert await store.identities.officer_by_external_id("idp|1") == found
    assert await store.identities.officer_by_login("nobody") is None
    assert await store.identities.officer_by_login("cc0001\0") is None  # what is no text to PostgreSQL is no outage
    bank = await store.identities.organisation("FS-BANK")
    assert bank is not None
    assert (bank.uscc, bank.purposes) == ("91440600MABANK001M", {"CREDIT_CHECK"})
    assert [one.org_id for one in await store.identities.organisations()] == ["CC-JUSTICE", "CC-OFFICE", "FS-BANK"]
    assert [one.login for one in await store.identities.officers("CC-OFFICE")] == ["sw0001"]


async def test_no_name_and_no_id_number_stands_in_clear_anywhere(store: Store, import_: Import) -> None:
    await import_(district())
    async with store.database.read() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        everything = [row for name in names for row in await connection.execute(sa.text(f"SELECT * FROM {name}"))]
    for secret in ("周凯", "李䶮", "买买提", "440604198604040051", "440606199003070017"):
        assert all(
            secret not in str(value) and secret.encode() not in _bytes(value) for row in everything for value in row
        )


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


async def test_a_post_counts_only_while_it_is_held(store: Store, import_: Import, clock: HandClock) -> None:
    await import_(district())  # the clock says 2026-11-23 09:00 in Foshan, the last day of cc0002's post
    head = await store.identities.officer_by_login("cc0002")
    assert head is not None
    assert head.roles == {"JUSTICE_OFFICER", "SUPERVISOR", "IDENTITY_ADMIN"}
    assert head.until == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)  # midnight in Foshan
    clock.at = head.until
    after = await store.identities.officer_by_login("cc0002")
    assert after is not None
    assert (after.roles, after.posts, after.purposes, after.until) == ({"IDENTITY_ADMIN"}, set(), set(), None)
    other = await store.identities.officer_by_login("sw0001")
    assert other is not None
    assert other.until == datetime(2027, 6, 30, 16, 0, tzinfo=UTC)  # the post itself ends then


async def test_the_same_import_twice_changes_nothing_and_revokes_nobody(store: Store, import_: Import) -> None:
    assert len((await import_(district())).changes) == 11
    recorded = len(await changes_of(store))
    assert recorded == 11
    again = await import_(district())
    assert (again.changes, again.faults, again.revoked) == ((), (), frozenset())
    assert len(await changes_of(store)) == recorded
    assert import_.revoker.users == []


async def test_a_dry_run_shows_what_the_import_then_does_and_writes_nothing(store: Store, import_: Import) -> None:
    shown = await import_(district(), dry_run=True)
    assert await store.identities.organisations() == []
    assert await changes_of(store) == []
    async with store.database.read() as connection:  # yet it told something of what is held
        query = sa.select(change_event).where(change_event.c.kind == "IDENTITIES_READ")
        (row,) = (await connection.execute(query)).all()
    assert (row.actor_user, orjson.loads(row.detail)["changes"]) == ("operator", len(shown.changes))
    done = await import_(district())
    assert [(one.kind, one.object_id) for one in shown.changes] == [(one.kind, one.object_id) for one in done.changes]


async def test_every_change_is_evidenced_by_opaque_ids_and_codes(store: Store, import_: Import) -> None:
    await import_(district())
    rows = await changes_of(store)
    assert {row.kind for row in rows} == {"ORGANISATION_ADDED", "POST_ADDED", "OFFICER_ADDED", "DEVICE_BOUND"}
    zhou = await store.identities.officer_by_login("cc0001")
    assert zhou is not None
    (added,) = [row for row in rows if row.object_id == zhou.user_id]
    detail = orjson.loads(added.detail)
    assert detail["after"]["posts"] == ["CASE_OFFICER:.."]
    assert "name" in detail["changed"]
    assert "cc0001" not in added.detail
    assert (added.actor_org, added.actor_user) == ("OPERATOR", "operator")
    (wristband,) = [row for row in rows if row.object_id == "wb-8604"]
    assert wristband.subject_id == (await store.subjects.intern(["440606199003070017"]))[0]


@pytest.mark.parametrize(
    ("changed", "logins"),
    [
        ({"officers": OFFICERS.replace("CC-JUSTICE,CASE_OFFICER,,", "CC-JUSTICE,HEAD,,")}, {"cc0001"}),
        (
            {"officers": OFFICERS.replace("CC-JUSTICE,CASE_OFFICER,,", "CC-JUSTICE,CASE_OFFICER,SUPERVISOR,")},
            {"cc0001"},
        ),
        ({"officers": OFFICERS.replace("idp|2,是", "idp|2,否")}, {"cc0002"}),
        ({"officers": OFFICERS.replace("CC-OFFICE,CASE_OFFICER", "CC-JUSTICE,CASE_OFFICER")}, {"sw0001"}),
        ({"officers": OFFICERS.replace("2026-11-23", "2026-11-22")}, {"cc0002"}),
        ({"posts": POSTS.replace("CC_RECEPTION;CC_PLAN", "CC_RECEPTION")}, {"cc0001"}),
        ({"posts": POSTS.replace("2027-06-30", "2026-06-30")}, {"sw0001"}),
        ({"organisations": ORGANISATIONS.replace("440604,,,是", "440604,,,否")}, {"cc0001", "cc0002"}),
        ({"organisations": ORGANISATIONS.replace("440604,CC-JUSTICE", "440605,CC-JUSTICE")}, {"sw0001"}),
        ({"officers": OFFICERS.replace("周凯", "周楷")}, set()),
        ({"organisations": ORGANISATIONS.replace("石湾司法所", "石湾镇司法所")}, set()),
    ],
)
async def test_whoever_stands_differently_loses_their_grants_and_nobody_else(
    store: Store, import_: Import, changed: dict[str, str], logins: set[str]
) -> None:
    await import_(district())
    plan = await import_(district(**changed))
    assert len(plan.changes) == 1
    users = {one.user_id: one.login for one in await store.identities.officers()}
    assert {users[user_id] for user_id in plan.revoked} == logins
    assert import_.revoker.users == sorted(plan.revoked) * 2  # before the change and after it


async def test_a_revocation_that_fails_leaves_everything_as_it_was(store: Store, import_: Import) -> None:
    await import_(district())
    import_.revoker.fails = True
    with pytest.raises(ConnectionError):
        await import_(district(officers=OFFICERS.replace("idp|2,是", "idp|2,否")))
    found = await store.identities.officer_by_login("cc0002")
    assert found is not None
    assert found.active


async def test_one_fault_and_nothing_of_it_is_done(store: Store, import_: Import) -> None:
    plan = await import_(district(officers=OFFICERS.replace("CC-OFFICE,CASE_OFFICER", "CC-OFFICE,HEAD")))
    assert [(one.file, one.line, one.column, one.code) for one in plan.faults] == [
        ("officers.csv", 4, 4, "NO_SUCH_POST")
    ]
    assert await store.identities.organisations() == []
    assert await changes_of(store) == []


async def test_a_full_import_switches_off_whom_it_does_not_name(store: Store, import_: Import) -> None:
    await import_(district())
    fewer = OFFICERS.rsplit("sw0001", 1)[0]
    assert (await import_(district(officers=fewer, devices=""))).changes == ()  # without full nobody is missed
    plan = await import_(district(officers=fewer, devices="device_id,kind,org_id\n"), full=True)
    kinds = [(one.kind, one.object_id) for one in plan.changes]
    assert kinds == [("OFFICER_DEACTIVATED", "sw0001"), ("DEVICE_UNBOUND", "fp-01"), ("DEVICE_UNBOUND", "wb-8604")]
    gone = await store.identities.officer_by_login("sw0001")
    assert gone is not None
    assert not gone.active
    assert plan.revoked == {gone.user_id}
    assert (await import_(district(officers=fewer, devices="device_id,kind,org_id\n"), full=True)).changes == ()


async def test_a_device_goes_from_one_to_another_and_its_past_stays(
    store: Store, import_: Import, clock: HandClock
) -> None:
    await import_(district())
    clock.forward(60)
    await import_(
        {"devices.csv": b"device_id,kind,org_id,person_id_no\nwb-8604,WRISTBAND,CC-JUSTICE,430121198502200015\n"}
    )
    async with store.database.read() as connection:
        query = sa.select(device).where(device.c.device_id == "wb-8604").order_by(device.c.bound_from_us)
        first, second = (await connection.execute(query)).all()
    assert first.bound_to_us == second.bound_from_us
    assert second.bound_to_us is None
    assert first.subject_id != second.subject_id


async def test_two_officers_may_swap_accounts_in_one_import(store: Store, import_: Import) -> None:
    await import_(district())
    swapped = OFFICERS.replace("idp|1", "idp|x").replace("idp|2", "idp|1").replace("idp|x", "idp|2")
    plan = await import_(district(officers=swapped))
    assert [one.object_id for one in plan.changes] == ["cc0001", "cc0002"]
    found = await store.identities.officer_by_external_id("idp|1")
    assert found is not None
    assert found.login == "cc0002"


async def test_json_and_csv_say_the_same(store: Store, import_: Import, clock: HandClock) -> None:
    await import_(district())
    given = from_json(
        {
            "organisations": [
                {
                    "org_id": "FS-BANK",
                    "name_zh": "佛山测试银行",
                    "uscc": "91440600MABANK001M",
                    "kind": "BANK",
                    "purposes": ["CREDIT_CHECK"],
                }
            ],
            "officers": [
                {
                    "login": "cc0001",
                    "name": "周凯",
                    "org_id": "CC-JUSTICE",
                    "posts": ["CASE_OFFICER"],
                    "external_id": "idp|1",
                    "active": True,
                }
            ],
        }
    )
    service = ImportIdentities(store.identity_changes, store.subjects, import_.revoker, clock)
    plan = await service(given, actor_org="CC-JUSTICE", actor_user="u1")
    assert (plan.changes, plan.faults) == ((), ())


async def test_two_imports_at_once_take_turns(open_replica: OpenStore, clock: HandClock) -> None:
    """Each of two replicas adds an officer with the same outside account: one gets it, the other is told."""
    imports = [Import(await open_replica(), clock) for _ in range(2)]
    await imports[0](district(officers="", devices=""))
    header = "login,name,org_id,external_id\n"
    plans = await asyncio.gather(
        *(
            one({"officers.csv": f"{header}new{number},王小明,CC-JUSTICE,idp|9\n".encode()})
            for number, one in enumerate(imports)
        )
    )
    assert sorted(tuple(fault.code for fault in plan.faults) for plan in plans) == [(), ("TAKEN",)]


async def test_the_same_officer_imported_by_two_replicas_is_one_officer(
    open_replica: OpenStore, clock: HandClock
) -> None:
    stores = [await open_replica() for _ in range(2)]
    imports = [Import(store, clock) for store in stores]
    await asyncio.gather(*(one(district()) for one in imports))
    async with stores[0].database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(officer)) == 3
    assert len(await changes_of(stores[1])) == 11


async def test_nobody_changes_their_own_standing_be_it_by_their_post(
    store: Store, import_: Import, clock: HandClock
) -> None:
    await import_(district())
    zhou = await store.identities.officer_by_login("cc0001")
    assert zhou is not None
    service = ImportIdentities(store.identity_changes, store.subjects, import_.revoker, clock)
    for changed in (
        district(officers=OFFICERS.replace("CC-JUSTICE,CASE_OFFICER,,", "CC-JUSTICE,HEAD,,")),
        district(posts=POSTS.replace("专干,JUSTICE_OFFICER,CC_REC", "专干,SUPERVISOR,CC_REC")),
        district(organisations=ORGANISATIONS.replace("440604,,,是", "440600,,,是")),
    ):
        plan = await service(from_files(changed), actor_org=zhou.org_id, actor_user=zhou.user_id)
        assert [one.code for one in plan.faults] == ["OWN_STANDING"]
    assert await store.identities.officer(zhou.user_id) == zhou
    other = district(officers=OFFICERS.replace("idp|2,是", "idp|2,否"))
    assert (await service(from_files(other), actor_org=zhou.org_id, actor_user=zhou.user_id)).faults == ()


POLICE = "CC-POLICE,禅城公安,,POLICE,440604,,,\n"
ADMIN = ("CC-JUSTICE", "0" * 32)


async def reached(store: Store, clock: HandClock, given: Any, **options: Any) -> Plan:
    """What the admin of the district's justice bureau may do over the wire."""
    service = ImportIdentities(store.identity_changes, store.subjects, Revocations(), clock)
    reach = Reach(ADMIN[0])
    return await service(given, actor_org=ADMIN[0], actor_user=ADMIN[1], reach=reach, **options)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"officers": [{"login": "pp0001", "name": "关勇", "org_id": "CC-POLICE"}]}, ("officers", 1, "ORGANISATION_BEYOND")),
        ({"officers": [{"login": "pp0009", "name": "关勇", "org_id": "CC-JUSTICE"}]}, ("officers", 1, "ORGANISATION_BEYOND")),
        ({"posts": [{"org_id": "CC-POLICE", "code": "X", "title_zh": "岗"}]}, ("posts", 1, "ORGANISATION_BEYOND")),
        ({"organisations": [{"org_id": "CC-POLICE", "name_zh": "我的", "kind": "POLICE", "jurisdiction": "440604",
                             "parent_id": "CC-JUSTICE"}]}, ("organisations", 1, "ORGANISATION_BEYOND")),
        ({"organisations": [{"org_id": "NEW-1", "name_zh": "新所", "kind": "JUSTICE_OFFICE", "jurisdiction": "440604"}]},
         ("organisations", 1, "ORGANISATION_BEYOND")),
        ({"organisations": [{"org_id": "NEW-1", "name_zh": "新局", "kind": "POLICE", "jurisdiction": "440604",
                             "parent_id": "CC-JUSTICE"}]}, ("organisations", 1, "KIND_BEYOND")),
        ({"organisations": [{"org_id": "NEW-1", "name_zh": "新所", "kind": "JUSTICE_OFFICE", "jurisdiction": "440600",
                             "parent_id": "CC-OFFICE"}]}, ("organisations", 1, "JURISDICTION_BEYOND")),
        ({"organisations": [{"org_id": "CC-JUSTICE", "name_zh": "禅城区司法局", "uscc": "114406040070555557",
                             "kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "parent_id": "CC-POLICE"}]},
         ("organisations", 1, "OWN_ORGANISATION")),
        ({"officers": [{"login": "new01", "name": "新人", "org_id": "CC-OFFICE", "roles": ["PLATFORM_ADMIN"]}]},
         ("officers", 1, "PLATFORM_ROLE")),
        ({"posts": [{"org_id": "CC-OFFICE", "code": "X", "title_zh": "岗", "roles": ["POLICY_APPROVER"]}]},
         ("posts", 1, "PLATFORM_ROLE")),
        ({"devices": [{"device_id": "d9", "kind": "PHONE", "org_id": "CC-OFFICE", "officer": "pp0009"}]},
         ("devices", 1, "ORGANISATION_BEYOND")),
    ],
)  # fmt: skip
async def test_an_admin_changes_their_own_organisation_and_those_below_it_and_nothing_else(
    store: Store, import_: Import, clock: HandClock, given: dict[str, Any], fault: tuple[str, int, str]
) -> None:
    officers = OFFICERS + "pp0009,警官,CC-POLICE,,,,,\n"
    await import_(district(organisations=ORGANISATIONS + POLICE, officers=officers))
    before = await changes_of(store)
    plan = await reached(store, clock, from_json(given))
    assert [(one.file, one.line, one.code) for one in plan.faults] == [fault]
    assert await changes_of(store) == before


async def test_an_admin_keeps_house_below_and_a_full_list_leaves_other_bodies_alone(
    store: Store, import_: Import, clock: HandClock
) -> None:
    officers = OFFICERS + "pp0009,警官,CC-POLICE,,,,,\n"
    await import_(district(organisations=ORGANISATIONS + POLICE, officers=officers))
    given = {
        "organisations": [
            {"org_id": "CC-NEW", "name_zh": "新所", "kind": "JUSTICE_OFFICE", "jurisdiction": "440604", "parent_id": "CC-OFFICE"}
        ],
        "posts": [{"org_id": "CC-NEW", "code": "CASE_OFFICER", "title_zh": "专干", "roles": ["JUSTICE_OFFICER"]}],
        "officers": [{"login": "new01", "name": "新人", "org_id": "CC-NEW", "posts": ["CASE_OFFICER"]}],
    }  # fmt: skip
    plan = await reached(store, clock, from_json(given), full=True)
    assert plan.faults == ()
    active = {one.login: one.active for one in await store.identities.officers()}
    assert active == {"cc0001": False, "cc0002": False, "sw0001": False, "new01": True, "pp0009": True}
