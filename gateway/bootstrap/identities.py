"""`yimen identities import | list`, and `yimen persons enrol` for the demo: the operator's hand on who there is."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.bootstrap.database import opened_store
from gateway.bootstrap.policy_sets import purposes_in
from gateway.caller import Caller, CallerKind
from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError, RequestRefused
from gateway.services.enrol_person import Enrolment, EnrolPerson
from gateway.services.identities import JUSTICE_OFFICER, OPERATOR, OPERATOR_ORG
from gateway.services.identity_faults import worded
from gateway.services.identity_plan import Plan
from gateway.services.identity_rows import Given, decoded, from_files, from_json
from gateway.services.import_identities import ImportIdentities
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.alerts import StoredAlerts

_PERSON = {"id_no": "身份号码", "name": "姓名", "phone": "手机号"}


class ImportRefused(GatewayError):
    """What was named cannot be read as an import."""

    code = "IMPORT_REFUSED"


def importer(store: Store, settings: Settings, clock: Clock | None = None) -> ImportIdentities:
    """The import over a real store, as commands, the API and the demo use it."""
    clock = clock or SystemClock()
    return ImportIdentities(
        store.identity_changes,
        store.subjects,
        store.revocations,
        clock,
        register=lambda: purposes_in(settings.manifests_dir),
        clients=store.clients,
    )


def read_import(path: Path) -> Given:
    """A folder of CSV files, one CSV file, or one JSON file. Raises ImportRefused."""
    try:
        if path.is_dir():
            return from_files({file.name: file.read_bytes() for file in sorted(path.glob("*.csv"))})
        if path.suffix == ".json":
            return from_json(json.loads(path.read_text("utf-8-sig")))
        return from_files({path.name: path.read_bytes()})
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read ({type(error).__name__})") from None
    except ValueError:
        raise ImportRefused(f"{path}: not JSON in UTF-8") from None


async def import_identities(settings: Settings, path: Path, *, dry_run: bool, full: bool) -> int:
    """The command. Prints every change, or every fault; 1 where there are faults."""
    given = read_import(path)
    async with opened_store(settings) as store:
        run = importer(store, settings)
        plan = await run(given, actor_org=OPERATOR_ORG, actor_user=OPERATOR, dry_run=dry_run, full=full)
    for line in plan_lines(plan, dry_run=dry_run):
        print(line)
    return 1 if plan.faults else 0


def plan_lines(plan: Plan, *, dry_run: bool) -> list[str]:
    if plan.faults:
        head = f"{len(plan.faults)} 处有误，未作任何更改 faults, nothing was changed:"
        return [head, *(f"  {worded(fault)}" for fault in plan.faults)]
    done = "将更改 would change" if dry_run else "已更改 changed"
    lines = [f"  {one.kind} {one.object_id}: {', '.join(one.changed) or '-'}" for one in plan.changes]
    ended = "将收回授权 would end the grants of" if dry_run else "已收回授权 ended the grants of"
    tail = [f"{ended} {len(plan.revoked)} 人 officers"] if plan.revoked else []
    return [f"{done}: {len(plan.changes)}", *lines, *tail]


async def list_identities(settings: Settings) -> int:
    """The command: bodies, and their officers by login, without names."""
    async with opened_store(settings) as store:
        for organisation in await store.identities.organisations():
            state = "" if organisation.active else " (停用 inactive)"
            place = organisation.jurisdiction or "-"
            print(f"{organisation.org_id} {organisation.name_zh} {organisation.kind} {place}{state}")
            for officer in await store.identities.officers(organisation.org_id):
                state = "" if officer.active else " (停用 inactive)"
                print(f"  {officer.login} {','.join(sorted(officer.posts)) or '-'}{state}")
    return 0


@dataclass(frozen=True, slots=True)
class Counter:
    """Enrols as the demo's operator."""

    enrol: EnrolPerson
    caller: Caller


def counter(store: Store, org_id: str) -> Counter:
    """Only for the demo: outside it a person is enrolled by an officer who sees them."""
    clock = SystemClock()
    alerts = StoredAlerts(store.database, clock)
    enrol = EnrolPerson(store.phones, store.subjects, store.subjects, store.inbox, store.evidence, alerts, clock)
    roles = frozenset({JUSTICE_OFFICER})
    expires_at = datetime.max.replace(tzinfo=clock.now().tzinfo)
    return Counter(enrol, Caller(OPERATOR, org_id, "OPERATOR", roles, OPERATOR, expires_at, kind=CallerKind.OFFICER))


async def enrol_persons(settings: Settings, path: Path, org_id: str) -> int:
    """The command: a CSV file of id_no, name, phone. Names the line of what is refused, and nobody."""
    if not settings.demo:
        raise ImportRefused("persons are enrolled by an officer in person; this command is for the demo only")
    people = read_persons(path)
    refused = 0
    async with opened_store(settings) as store:
        desk = counter(store, org_id)
        for line, person in people:
            try:
                await desk.enrol(desk.caller, person)
            except RequestRefused as error:
                print(f"{path.name}:{line}: {error.code}")
                refused += 1
    print(f"已登记 enrolled: {len(people) - refused}")
    return 1 if refused else 0


def read_persons(path: Path) -> list[tuple[int, Enrolment]]:
    """Each with the number of its line. Raises ImportRefused."""
    try:
        text = decoded(path.read_bytes()) or ""
        rows = [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text)), 1) if any(row)]
    except (OSError, csv.Error) as error:
        raise ImportRefused(f"{path}: cannot be read ({type(error).__name__})") from None
    chinese = {zh: name for name, zh in _PERSON.items()}
    names = [chinese.get(cell.strip(), cell.strip()) for cell in rows[0][1]] if rows else []
    if sorted(names) != sorted(_PERSON) or any(len(row) != len(names) for _, row in rows):
        raise ImportRefused(f"{path}: each line must be {','.join(_PERSON)} (或 {','.join(_PERSON.values())})")
    return [(number, Enrolment(**dict(zip(names, row, strict=True)))) for number, row in rows[1:]]
