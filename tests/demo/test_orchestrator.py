"""The demo's conductor: ports, processes that leave nothing behind, manifests, the card, the switches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from graphql import build_schema, parse, validate

from demo.accounts import accounts
from demo.answer import EXPECTED, readable, unexpected
from demo.bodies import identity_files
from demo.docket import parties, supervised
from demo.forms import forms_of
from demo.gateway_process import GatewayPlan, environment
from demo.people import register
from demo.places import TEMPLATES, DemoRunning, Places, write_private
from demo.ports import free_port
from demo.processes import Children
from demo.queries import queries
from demo.registrations import chancheng_clients, shunde_clients
from demo.render import render_manifests, secret_names, write_secrets
from demo.serving import bind
from demo.shunde import write_shunde
from demo.switch import wanted_faults
from gateway.oauth.registration import read_client
from gateway.oauth.terms import terms_for
from gateway.policy.purposes import read_register
from gateway.services.identity_check import Check
from gateway.services.identity_records import Records
from gateway.services.identity_rows import from_files
from gateway.supervision.case_facts import Part, PartyEntry

ROOT = Path(__file__).parents[2]
SCOPES = terms_for("").scopes
# A child that starts a child of its own, says both numbers, and would live for a minute.
FAMILY = (
    "import subprocess, sys, os; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print(os.getpid(), p.pid, flush=True); p.wait()"
)
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def _gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path / "logs")
    yield children
    children.stop(grace_s=0.5)


def test_a_port_in_use_is_said_and_avoided() -> None:
    said: list[str] = []
    with bind() as busy:
        busy.listen()
        port = busy.getsockname()[1]
        taken: set[int] = set()
        got = free_port(port, taken, said.append, "网关")
    assert got > port
    assert taken == {got}
    assert len(said) == 1
    assert str(port) in said[0]
    assert str(got) in said[0]


def test_one_that_must_move_moves_no_other() -> None:
    said: list[str] = []
    with bind() as busy:
        busy.listen()
        port = busy.getsockname()[1]
        assert free_port(port, set(), said.append, "x", promised=(port, port + 1, port + 2)) > port + 2
    assert len(said) == 1


def test_a_free_port_is_taken_without_a_word_and_not_twice() -> None:
    said: list[str] = []
    with bind() as probe:
        port = probe.getsockname()[1]
    taken: set[int] = set()
    assert free_port(port, taken, said.append, "x") == port
    assert said == []
    assert free_port(port, taken, said.append, "x") != port


def test_stopping_takes_grandchildren_along(children: Children) -> None:
    children.start("family", (sys.executable, "-c", FAMILY))
    parent, grandchild = map(int, children.output_of("family").readline().split())
    children.stop()
    assert _gone(parent)
    assert _gone(grandchild)


def test_a_child_that_ignores_sigterm_goes_too(children: Children) -> None:
    child = children.start("stubborn", (sys.executable, "-c", STUBBORN))
    children.output_of("stubborn").readline()
    children.stop(grace_s=0.2)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_a_killed_parent_takes_its_children_along() -> None:
    child = "from demo.processes import die_with_parent; import time; die_with_parent(); print('up', flush=True); time.sleep(60)"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, text=True); "
            "p.stdout.readline(); print(p.pid, flush=True); p.wait()",
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        assert _gone(pid)


def test_a_child_that_ends_is_noticed_with_its_last_words(children: Children) -> None:
    child = children.start("short", (sys.executable, "-c", "import sys; sys.exit('no such manifest')"))
    child.wait(timeout=10)
    assert children.ended() == {"short": 1}
    assert "no such manifest" in children.log_of("short")


def test_one_directory_holds_one_demo(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with places.hold(), pytest.raises(DemoRunning):
        places.hold()
    places.hold().close()


def test_private_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_manifests_are_rendered_and_those_without_a_department_left_out(tmp_path: Path) -> None:
    templates, into = tmp_path / "in", tmp_path / "out"
    templates.mkdir()
    into.mkdir()
    (into / "gone.toml").write_text("of an earlier demo")
    (templates / "lgb.toml.in").write_text('endpoint = "${LGB_URL}"\ntoken = "file:${SECRETS}/lgb_token"\nq = "$$idNo"')
    (templates / "sd.toml.in").write_text('endpoint = "${SD_URL}"')
    assert secret_names(templates) == {"lgb_token"}
    values = {"LGB_URL": "http://127.0.0.1:1", "SECRETS": "/s"}
    assert render_manifests(templates, into, values) == (["lgb.toml"], ["sd.toml"])
    assert [file.name for file in into.iterdir()] == ["lgb.toml"]
    assert (
        into / "lgb.toml"
    ).read_text() == 'endpoint = "http://127.0.0.1:1"\ntoken = "file:/s/lgb_token"\nq = "$idNo"'


def test_secrets_are_random_and_for_the_owner_alone(tmp_path: Path) -> None:
    made = write_secrets(tmp_path, frozenset({"a", "b"}))
    assert {name: (tmp_path / name).read_text() for name in made} == made
    assert made["a"] != made["b"]
    assert len(made["a"]) >= 24
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_gateways_environment_is_the_demos_and_not_the_visitors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIMEN_WORKERS", "16")
    places = Places(tmp_path)
    file = places.sub("keys") / "accounts.toml"
    plan = GatewayPlan("cc", 8400, places.sub("manifests"), file)
    given = {name: value for name, value in environment(places, plan).items() if name.startswith("YIMEN_")}
    assert "YIMEN_WORKERS" not in given
    assert given["YIMEN_PORT"] == "8400"
    assert given["YIMEN_DEMO_ACCOUNTS_FILE"] == str(file.resolve())
    assert "YIMEN_OIDC_PROVIDERS_FILE" not in given


def test_the_demos_settings_are_ones_the_gateway_knows(tmp_path: Path) -> None:
    from gateway.settings import Settings

    places = Places(tmp_path)
    file = places.sub("keys") / "accounts.toml"
    accounts(file)
    plan = GatewayPlan("cc", 8400, places.sub("manifests"), file)
    settings = Settings.load({n: v for n, v in environment(places, plan).items() if n.startswith("YIMEN_")}, None)
    assert settings.demo
    assert settings.base_url == plan.url == "http://127.0.0.1:8400"


def test_accounts_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    made = accounts(file)
    assert [(one.password, one.totp) for one in accounts(file, "http://127.0.0.1:9")] == [
        (one.password, one.totp) for one in made
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    entries = tomllib.loads(file.read_text())["accounts"]
    assert [entry["login"] for entry in entries if "external" in entry] == ["officer-lin"]
    assert all(one.password not in repr(one) and one.totp not in repr(one) for one in made)


def test_every_import_is_one_the_product_takes_whole(tmp_path: Path) -> None:
    """Checked by the product's own readers; that they are taken shows `test_demo_runs`."""
    people = register(1, 60)
    given = from_files({name: text.encode() for name, text in identity_files().items()})
    purposes = read_register([TEMPLATES / "policy" / "fa.toml"])
    check = Check(given, purposes)
    check.laid_over(Records(), {number: number for number in check.id_numbers})
    assert check.faults == []
    faults: list[str] = []
    for entry in (*chancheng_clients(tmp_path), *shunde_clients(tmp_path)):
        assert (
            read_client(entry, lambda *fault: faults.append(str(fault)), scopes=SCOPES, register=purposes) is not None
        )
    assert faults == []
    bodies = {cells.values["org_id"] for cells in given.rows["organisations"]}
    for person, case in supervised(people.people):
        for party in parties(person, case):
            assert party.org_id in bodies
            assert PartyEntry(party.case_no, party.org_id, Part(party.part), datetime.now(UTC))


def test_the_officers_list_is_of_the_officers_own_office() -> None:
    asked = queries(register(1))["list"]["variables"]["of"]
    assert len(asked) == 20
    assert "440604200909120036" not in {key["idNo"] for key in asked}, "a sealed record is nobody's example"


def test_an_application_brings_its_purpose_and_its_rules_along(tmp_path: Path) -> None:
    values = {"FA_URL": "http://127.0.0.1:1", "SECRETS": "/s"}
    assert render_manifests(TEMPLATES, tmp_path, values)[0] == ["fa.toml"]
    brought = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert brought == {"fa.toml", "policy/fa.toml", "policies/fa.cedar"}
    assert render_manifests(TEMPLATES, tmp_path, {})[0] == []
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_forms_are_read_as_a_browser_reads_them() -> None:
    page = (
        '<form method="post" action="/a"><input type="hidden" name="csrf" value="x&amp;y"><input name="login">'
        '<input type="checkbox" name="remember" value="yes"><button name="decision" value="approve">Y</button>'
        '<button name="decision" value="deny">N</button></form><form action="/b"></form><input name="stray">'
    )
    first, second = forms_of(page)
    assert (first.action, first.method) == ("/a", "post")
    assert first.pressed("approve", login="lin") == {"csrf": "x&y", "login": "lin", "decision": "approve"}
    assert first.pressed() == {"csrf": "x&y", "login": ""}
    assert (second.action, second.fields) == ("/b", {})


@pytest.mark.parametrize("name", ["reception", "list", "cases", "catalogue"])
def test_every_ready_question_fits_the_printed_schema(name: str) -> None:
    schema = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
    assert validate(schema, parse(queries(register(1))[name]["query"])) == []


def test_the_answer_is_judged_part_by_part() -> None:
    person: dict[str, object] = {part: {"state": state, "records": []} for part, state in EXPECTED.items()}
    answer = {"data": {"person": person | {"pid": "p"}}}
    assert unexpected(answer) == []
    person["insurance"] = {"state": "UNAVAILABLE", "reason": "CLOSED", "retryAt": "2026-11-20T21:00:00.123456+00:00"}
    late = {"data": {"person": person | {"pid": "p"}}}
    assert len(unexpected(late)) == 1
    assert "reason CLOSED  retryAt 2026-11-21 05:00:00" in readable(late)
    assert readable(late).count("Beijing") == 1
    assert unexpected({"data": {"person": None}, "errors": [{"message": "no"}]})[0] == "no"


def test_an_answer_that_asks_for_little_reads_as_well() -> None:
    person = {"conductStatements": {"records": [{"reportedOnTime": True}]}, "legalAid": {"state": "FRESH"}}
    said = readable({"data": {"person": person}, "extensions": {"policy": {"rules": ["r-1"], "basis": ["某法"]}}})
    assert "表现证明 conduct statements" in said
    assert "reportedOnTime=True" in said
    assert said.endswith("规则 rules: r-1\n  依据 basis: 某法")


def test_an_answer_says_where_it_stands_in_the_log() -> None:
    receipt = {"id": "01a2-7", "recordedAt": "2026-11-26T00:30:04.5+00:00"}
    said = readable({"data": {"person": {"legalAid": {"state": "FRESH"}}}, "extensions": {"receipt": receipt}})
    assert "回执 receipt: 01a2-7  2026-11-26 08:30:04" in said
    assert said.endswith("script/demo receipt 01a2-7")


def test_shunde_holds_its_own_cases_only(tmp_path: Path) -> None:
    import sqlite3

    path = write_shunde(tmp_path / "sd.db", register(1))
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT sfzhm, zt, zxd FROM v_sd_jzry").fetchall()
    database.close()
    assert ("440606199003070017", "TRANSFERRING", "440606") in rows
    assert {row[2] for row in rows} == {"440606"}


def test_fault_words() -> None:
    assert wanted_faults(["none"]) is None
    assert wanted_faults(["half-page", "slow=3"]) == {"half_page": True, "slow": 3.0}
    for bad in (["broken"], ["slow=much"], ["none", "closed"]):
        with pytest.raises(ValueError, match=r"fault|float"):
            wanted_faults(bad)


def test_the_help_is_a_manual_and_a_visit_without_a_demo_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo"]
    shown = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for word in ("fault SB closed", "--once", "var/demo.json", "虚构"):
        assert word in shown.stdout
    refused = subprocess.run(
        [*command, "--var", str(tmp_path), "faults"], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ)
    )
    assert refused.returncode == 1
    assert "no demo is running" in refused.stderr
