"""What the demo imports before a gateway starts, written as files, and the commands that import it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.bodies import AGENCY, identity_files, shunde_files, table
from demo.docket import case_files
from demo.people import Register
from demo.places import Places, write_private
from demo.registrations import chancheng_clients, shunde_clients

Commands = list[Sequence[str]]
ENROLLED = ("zhang-san-017", "chen-ming", "zhao-qiang", "li-yan", "mai-mai-ti", "liu-fang")
"""Who has been at the counter with a phone."""


def for_chancheng(places: Places, people: Register) -> Commands:
    """Everything: identities, clients, the register of cases, phones. Importing the same again changes nothing."""
    home = places.sub("imports")
    clients = home / "clients-cc.json"
    write_private(clients, _json(chancheng_clients(places.sub("keys"))))
    commands: Commands = [
        ("identities", "import", _folder(home / "identities-cc", identity_files())),
        ("clients", "import", str(clients.resolve())),
        ("cases", "import", _folder(home / "cases-cc", case_files(people.people, officers=True))),
    ]
    phones = home / "persons.csv"
    rows = [(person.id_no, person.name, person.phone) for person in map(people.by_key, ENROLLED)]
    text = table(("id_no", "name", "phone"), rows)
    done = places.sub("state-cc") / "enrolled.csv"  # a phone enrolled again is a new phone, so only once
    if not done.exists() or done.read_text(encoding="utf-8") != text:
        write_private(phones, text)
        commands.append(("persons", "enrol", str(phones.resolve()), "--org", AGENCY))
    return commands


def chancheng_imported(places: Places) -> None:
    """Remember that the phones are enrolled."""
    phones = places.sub("imports") / "persons.csv"
    if phones.exists():
        write_private(places.sub("state-cc") / "enrolled.csv", phones.read_text(encoding="utf-8"))
        phones.unlink()


def for_shunde(places: Places, people: Register) -> Commands:
    home = places.sub("imports")
    clients = home / "clients-sd.json"
    write_private(clients, _json(shunde_clients(places.sub("keys"))))
    return [
        ("identities", "import", _folder(home / "identities-sd", shunde_files())),
        ("clients", "import", str(clients.resolve())),
        ("cases", "import", _folder(home / "cases-sd", case_files(people.people, officers=False))),
    ]


def _folder(directory: Path, files: Mapping[str, str]) -> str:
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, text in files.items():
        write_private(directory / name, text)
    return str(directory.resolve())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
