"""The front database of the province's correction system: tables, views and rows, for SQLite and PostgreSQL alike.

The codes are the province's own and NULL means "unknown". Dates are DATE; `gxsj` is the civil time of the last nightly
copy from the province, one for the whole database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Date, DateTime, MetaData, SmallInteger, String, Table, insert, text, update

from demo.people import CaseFact, MonitoringFact, Person, Register

TYPES: Final = {"PUBLIC_SURVEILLANCE": "1", "PROBATION": "2", "PAROLE": "3", "TEMPORARY_SERVICE_OUTSIDE_PRISON": "4"}
TYPE_TEXTS: Final = {"PUBLIC_SURVEILLANCE": "管制", "PROBATION": "缓刑", "PAROLE": "假释", "TEMPORARY_SERVICE_OUTSIDE_PRISON": "暂予监外执行"}  # fmt: skip
ORGANS: Final = {"COURT": "FY", "POLICE": "GA", "PRISON_ADMINISTRATION": "JYJ"}
CRIMES: Final = {
    "NATIONAL_SECURITY": "A1",
    "PUBLIC_SECURITY": "A2",
    "ECONOMIC_ORDER": "A3",
    "PERSONAL_RIGHTS": "A4",
    "PROPERTY": "A5",
    "SOCIAL_ORDER": "A6",
    "NATIONAL_DEFENCE": "A7",
    "CORRUPTION": "A8",
    "DERELICTION": "A9",
    "OTHER": "A99",
}
PENALTIES: Final = {"DEATH_SUSPENDED": "SH", "LIFE": "WQ", "FIXED_TERM": "YQ", "CRIMINAL_DETENTION": "JY", "PUBLIC_SURVEILLANCE": "GZ"}  # fmt: skip
LEVELS: Final = {"BASIC": "J", "LENIENT": "K", "ORDINARY": "P", "STRICT": "Y"}
STATES: Final = {
    "DECIDED": "01",
    "NOTIFIED": "02",
    "DOCS_SERVED": "03",
    "REPORTED_IN": "04",
    "ENROLLED": "05",
    "SUPERVISED": "10",
    "ON_LEAVE": "11",
    "TRANSFERRING": "12",
    "OUT_OF_CONTACT": "13",
    "REVOCATION_PENDING": "14",
    "DETAINED": "15",
    "DISCHARGED": "20",
    "AFTERCARE": "21",
    "TERMINATED": "22",
    "NOT_ENROLLED": "30",
    "CLOSED": "99",
}
SEX: Final = {"UNKNOWN": None, "MALE": "男", "FEMALE": "女", "UNSTATED": None}

META: Final = MetaData()


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, String(300)) for name in names]


CASES: Final = Table(
    "t_jzry",
    META,
    Column("dxbh", String(32), primary_key=True),
    *_texts("sfdcpg", "jzlb", "xm", "xb", "mz"),
    Column("sfzhm", String(18), index=True),
    Column("csrq", Date),
    *_texts("whcd", "jyjxqk", "fzlx", "zm", "ypxf", "ypxq", "fjx", "jzl", "pjjg", "pjjglx", "jdwsh"),
    Column("sxrq", Date),
    Column("jzksrq", Date),
    Column("jzjsrq", Date),
    *_texts("jzjg", "sfs", "gllb", "zt"),
    Column("ajbh", String(64), index=True),
    Column("zxd", String(12), index=True),
    Column("wcn", SmallInteger),
)
ORDERS: Final = Table(
    "t_dzdw",
    META,
    Column("jdsh", String(64), primary_key=True),
    Column("dxbh", String(32)),
    Column("sfzhm", String(18), index=True),
    *_texts("xm"),
    Column("fdqx", SmallInteger),
    *_texts("pzr"),
    Column("qsrq", Date),
    Column("jzrq", Date),
    *_texts("xqyjds", "sbbh"),
    Column("jcrq", Date),
)
COPIED: Final = Table("t_gx", META, Column("gxsj", DateTime, nullable=False))
_OF: Final = {"v_jzry": CASES, "v_dzdw": ORDERS}
_SLOW_STEPS: Final = 4_000_000  # a second's worth of counting, more or less


def create(connection: Connection, people: Register, copied_at: datetime) -> None:
    """Tables, rows and views in an empty database."""
    META.create_all(connection)
    connection.execute(insert(CASES), list(_cases(people)))
    connection.execute(insert(ORDERS), list(_orders(people)))
    connection.execute(insert(COPIED), {"gxsj": copied_at.replace(tzinfo=None)})
    define_views(connection)


def set_copied_at(connection: Connection, copied_at: datetime) -> None:
    connection.execute(update(COPIED).values(gxsj=copied_at.replace(tzinfo=None)))


def define_views(connection: Connection, *, garbage: bool = False, slow_s: float = 0.0) -> None:
    """`v_jzry` and `v_dzdw`; with `garbage` their codes and dates are nonsense, with `slow_s` each question counts first."""
    wrong = (
        {"jzlb": "'???'", "zt": "'#REF!'", "gllb": "'~'", "sxrq": "'0000-00-00'", "jzksrq": "'2026-13-45'"}
        if garbage
        else {}
    )
    wrong |= {"fdqx": "'x'", "qsrq": "'00/00'", "jzrq": "'?'"} if garbage else {}
    steps = int(_SLOW_STEPS * slow_s)
    counting = f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {steps}) SELECT count(*) FROM n) > 0"
    for view, table in _OF.items():
        columns = [f"{wrong[c.name]} AS {c.name}" if c.name in wrong else f"t.{c.name}" for c in table.columns]
        where = f" WHERE {counting}" if steps else ""
        connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
        connection.execute(
            text(
                f"CREATE VIEW {view} AS SELECT {', '.join(columns)}, gx.gxsj FROM {table.name} t CROSS JOIN t_gx gx{where}"
            )
        )


def _cases(people: Register) -> Iterator[Mapping[str, Any]]:
    for number, person in enumerate(people.people):
        for case in person.cases:
            if "GDSJ" in case.held_by:
                yield _case(person, case, as_text=number % 7 == 3)


def _case(person: Person, case: CaseFact, *, as_text: bool) -> dict[str, Any]:
    """One row. `as_text`: the system of old wrote the type of correction as a word, and some rows still have it."""
    return {
        "dxbh": case.dxbh,
        "sfdcpg": None,
        "jzlb": (TYPE_TEXTS if as_text else TYPES).get(case.case_type, "9"),
        "xm": person.name_at("GDSJ"),
        "xb": SEX[person.sex],
        "mz": person.ethnicity,
        "sfzhm": _id_as_stored(person),
        "csrq": person.birth_date,
        "whcd": None,
        "jyjxqk": None,
        "fzlx": CRIMES[case.crime_category],
        "zm": case.charge,
        "ypxf": PENALTIES[case.penalty],
        "ypxq": None if case.penalty_months is None else f"{case.penalty_months}个月",
        "fjx": ";".join(case.add_penalties) or None,
        "jzl": ";".join(case.prohibitions) or None,
        "pjjg": None,
        "pjjglx": ORGANS[case.deciding_organ],
        "jdwsh": case.decision_doc_no,
        "sxrq": case.effective_on,
        "jzksrq": case.start_on,
        "jzjsrq": case.end_on,
        "jzjg": case.agency,
        "sfs": case.office,
        "gllb": LEVELS[case.level] if case.level else None,
        "zt": STATES[case.state],
        "ajbh": case.case_no,
        "zxd": case.execution_admin,
        "wcn": int(case.minor_at_offence),
    }


def _orders(people: Register) -> Iterator[Mapping[str, Any]]:
    for person in people.people:
        for order in person.monitoring_orders:
            yield _order(person, order)


def _order(person: Person, order: MonitoringFact) -> dict[str, Any]:
    return {
        "jdsh": order.order_no,
        "dxbh": order.dxbh,
        "sfzhm": _id_as_stored(person),
        "xm": person.name_at("GDSJ"),
        "fdqx": order.legal_ground,
        "pzr": order.approved_by,
        "qsrq": order.from_on,
        "jzrq": order.to_on,
        "xqyjds": order.renewal_of,
        "sbbh": order.device_id,
        "jcrq": order.lifted_at,
    }


def _id_as_stored(person: Person) -> str:
    """Whom the prison handed over with a number of 15 digits, the province took over with it."""
    handed_over = person.handover.id_as_written if person.handover else ""
    return handed_over if len(handed_over) == 15 else person.id_no
