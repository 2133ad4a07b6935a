"""The register from CSV: all faults at once with file and line, all of it or nothing, the same file twice changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.services.import_cases import ImportCases
from gateway.store import Store
from gateway.store.tables import case_facts as tables
from gateway.store.tables import change_event, subject
from tests.gateway.store.accounts import put_accounts

pytestmark = pytest.mark.anyio
FILES = {
    "cases.csv": "\ufeffcase_no,id_no,state,seal,minor_at_offence,execution_admin\n"
    "（2026）粤0604刑初1号,440606199003070017,SUPERVISED,,false,440604\n"
    "(2026)粤0604刑初2号,440604200909120036,SUPERVISED,SEALED_JUVENILE,true,440604\n",
    "parties.csv": "case_no,org_id,part,since,until\n(2026)粤0604刑初1号,cc-1,SUPERVISING,2026-01-01,\n",
    "assignments.csv": "case_no,officer,since\n(2026)粤0604刑初1号,officer-1,2026-01-01T08:00:00+08:00\n",
    "relationships.csv": "officer,id_no,kind,declared_by\nofficer-1,44060419910518002x,FORMER_SPOUSE,officer-1\n",
    "seals.csv": "id_no,seal\n440604200909120036,SEALED_JUVENILE\n",
    "unseal_orders.csv": "order_no,id_no,case_no,org_id,approved_by,second_approved_by,since,expires_at\n"
    "(2026)启封1号,440604200909120036,,court-1,judge-a,judge-b,2026-11-01,2026-11-07\n",
    "monitoring_orders.csv": "order_no,id_no,legal_ground,approved_by,since,until\n"
    "(2026)定位1号,440604650101001,3,head-1,2026-09-01,2026-11-30\n",
}
COUNTS = {"case_register": 2, "case_party": 1, "case_assignment": 1, "relationship": 1, "subject_seal": 1}


def importer(store: Store) -> ImportCases:
    return ImportCases(store.cases, store.subjects)


def encoded(**changed: str) -> dict[str, bytes]:
    files = FILES | {f"{name}.csv": text for name, text in changed.items()}
    return {name: text.encode() for name, text in files.items() if text}


async def count(store: Store, table: sa.Table) -> int:
    async with store.database.read() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def test_a_folder_is_declared_once_and_evidenced(store: Store) -> None:
    done = await importer(store)(encoded())
    assert (done.rows, done.changed, list(done.faults)) == (8, 8, [])
    assert {name: await count(store, getattr(tables, name)) for name in COUNTS} == COUNTS
    assert await count(store, change_event) == 8
    again = await importer(store)(encoded())
    assert (again.changed, await count(store, change_event)) == (0, 8)
    async with store.database.read() as connection:
        numbers = set(await connection.scalars(sa.select(tables.case_register.c.case_no)))
        order = (await connection.execute(sa.select(tables.monitoring_order))).one()
    assert numbers == {"(2026)粤0604刑初1号", "(2026)粤0604刑初2号"}, "one spelling, whatever the clerk's keyboard"
    assert (await store.subjects.recognise(["440604196501010010"])) == [order.subject_id], "15 digits are 18"


async def test_a_dry_run_changes_nothing_and_makes_nobody(store: Store) -> None:
    done = await importer(store)(encoded(), dry_run=True)
    assert (done.changed, list(done.faults)) == (None, [])
    assert [await count(store, table) for table in (change_event, subject, tables.case_register)] == [0, 0, 0]


async def test_every_fault_is_told_with_its_line_and_nothing_is_done(store: Store) -> None:
    done = await importer(store)(
        encoded(
            cases="case_no,id_no,state\n1,440606199003070018,SUPERVISED\n,440606199003070017,FREE\n2,440606199003070017,FREE\n"
            "440606199003070017,440606199003070017,SUPERVISED\n3,440606199003070017\n",
            parties="case_no,org_id,part,since\n9,cc-1,SUPERVISING,2026-01-01\n2,cc-1,WATCHING,2026-01-01\n",
            assignments="case_no,officer\n1,officer-1\n",
            relationships="",
            seals="id_no,seal\n440606199003070017,NONE\n",
            unseal_orders="order_no,id_no,case_no,org_id,approved_by,second_approved_by,since,expires_at\n"
            "o,440606199003070017,,court-1,judge-a,judge-a,2026-11-01,2026-11-07\n",
            monitoring_orders="order_no,id_no,legal_ground,approved_by,since,until\n"
            "m,440606199003070017,7,head-1,2026-09-01,2026-09-30\nm,440606199003070017,1,head-1,2026-09-01,2026-12-01\n"
            "m,440606199003070017,1,head-1,yesterday,2026-12-01\n",
            families="x\n",
        )
    )
    places = sorted((fault.file, fault.line) for fault in done.faults)
    assert places == [
        ("assignments.csv", 1),
        ("cases.csv", 2), ("cases.csv", 3), ("cases.csv", 4), ("cases.csv", 5), ("cases.csv", 6),
        ("families.csv", 0),
        ("monitoring_orders.csv", 2), ("monitoring_orders.csv", 3), ("monitoring_orders.csv", 4),
        ("parties.csv", 2), ("parties.csv", 3),
        ("seals.csv", 2),
        ("unseal_orders.csv", 2),
    ]  # fmt: skip
    assert "19900307" not in "".join(map(str, done.faults))
    assert done.changed is None
    assert [await count(store, table) for table in (change_event, subject)] == [0, 0]


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"", b'case_no,case_no\n"', b"case_no;id_no;state\n", b'case_no,id_no,state\n"1']
)
async def test_what_is_no_csv_of_ours_is_a_fault_of_the_file(store: Store, data: bytes) -> None:
    done: Any = await importer(store)({"cases.csv": data})
    assert done.faults
    assert {fault.file for fault in done.faults} == {"cases.csv"}


async def test_two_names_of_one_officer_are_not_two_approvers(store: Store) -> None:
    await put_accounts(store, {"judge-a": None, "judge-b": None}, org_id="court-1")
    head = "order_no,id_no,case_no,org_id,approved_by,second_approved_by,since,expires_at\n"
    row = "(2026)启封1号,440604200909120036,,court-1,{},{},2026-11-01,2026-11-07\n"
    for second, faults in (("judge-a@here", 1), ("judge-b@here", 0)):
        data = (head + row.format("judge-a", second)).encode()
        assert len((await importer(store)({"unseal_orders.csv": data})).faults) == faults, second


async def test_no_file_at_all_is_a_fault(store: Store) -> None:
    assert (await importer(store)({})).faults
