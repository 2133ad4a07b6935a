"""What the demo imports before a gateway starts, written as files, and the commands that import it."""

from __future__ import annotations

import hashlib
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


def for_chancheng(places: Places, people: Register, bank_url: str = "") -> Commands:
    """Everything: identities, clients, the register of cases, phones."""
    home = places.sub("imports")
    clients, phones = home / "clients-cc.json", home / "persons.csv"
    write_private(clients, _json(chancheng_clients(places.sub("keys"), bank_url)))
    rows = [(person.id_no, person.name, person.phone) for person in map(people.by_key, ENROLLED)]
    write_private(phones, table(("id_no", "name", "phone"), rows))
    return [
        ("identities", "import", _folder(home / "identities-cc", identity_files())),
        ("clients", "import", str(clients.resolve())),
        ("cases", "import", _folder(home / "cases-cc", case_files(people.people, officers=True))),
        ("persons", "enrol", str(phones.resolve()), "--org", AGENCY),
    ]


def for_shunde(places: Places, people: Register) -> Commands:
    home = places.sub("imports")
    clients = home / "clients-sd.json"
    write_private(clients, _json(shunde_clients(places.sub("keys"))))
    return [
        ("identities", "import", _folder(home / "identities-sd", shunde_files())),
        ("clients", "import", str(clients.resolve())),
        ("cases", "import", _folder(home / "cases-sd", case_files(people.people, officers=False))),
    ]


def is_done(places: Places, name: str, commands: Commands) -> bool:
    """Whether exactly this was imported into the gateway's database before; a phone enrolled again would be a new one."""
    mark = _mark(places, name)
    return mark.exists() and mark.read_text(encoding="utf-8") == _digest(commands)


def done(places: Places, name: str, commands: Commands) -> None:
    write_private(_mark(places, name), _digest(commands))


def _mark(places: Places, name: str) -> Path:
    return places.sub(f"state-{name}") / "imported.sha256"


def _digest(commands: Commands) -> str:
    """Over the commands and every file they name."""
    digest = hashlib.sha256(json.dumps(commands).encode())
    for path in (Path(word) for command in commands for word in command):
        for file in [path] if path.is_file() else sorted(path.glob("*.csv")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _folder(directory: Path, files: Mapping[str, str]) -> str:
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, text in files.items():
        write_private(directory / name, text)
    return str(directory.resolve())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
