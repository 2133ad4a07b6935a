"""The neighbour district's own register of cases: one SQLite file behind its yimen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from demo.people import CaseFact, Person, Register

_COLUMNS = "dxbh, xm, sfzhm, ajbh, jzlb, jdjg, wsh, sxrq, jzksrq, jzjsrq, zm, zmlb, ypxf, fjx, jzl, jgjb, zxd, jgmc, sfs, zt, wcn"
"""person and case number; kind, organ, document; dates; charge, category, penalty; extras; level; place, offices; state"""


def write_shunde(path: Path, people: Register) -> Path:
    """The view `v_sd_jzry` over every case Shunde holds; codes are the canonical words. Replaces `path`."""
    path.unlink(missing_ok=True)
    rows = [_row(person, case) for person in people.people for case in person.cases if "SD" in case.held_by]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE sd_jzry ({_COLUMNS})")
        database.executemany(f"INSERT INTO sd_jzry VALUES ({','.join('?' * len(_COLUMNS.split(',')))})", rows)
        database.execute("CREATE INDEX sd_sfzhm ON sd_jzry (sfzhm)")
        database.execute("CREATE VIEW v_sd_jzry AS SELECT * FROM sd_jzry")
    path.chmod(0o600)
    return path


def _row(person: Person, case: CaseFact) -> tuple[object, ...]:
    return (
        case.dxbh,
        person.name_at("SD"),
        person.id_no,
        case.case_no,
        case.case_type,
        case.deciding_organ,
        case.decision_doc_no,
        case.effective_on.isoformat(),
        case.start_on.isoformat(),
        case.end_on.isoformat(),
        case.charge,
        case.crime_category,
        case.penalty,
        ",".join(case.add_penalties),
        ",".join(case.prohibitions),
        case.level,
        case.execution_admin,
        case.agency,
        case.office,
        case.state,
        int(case.minor_at_offence),
    )
